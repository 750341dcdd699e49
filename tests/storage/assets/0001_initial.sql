BEGIN TRANSACTION;
CREATE TABLE annotators (
	id VARCHAR(64) NOT NULL,
	name VARCHAR(100) NOT NULL,
	is_teacher BOOLEAN NOT NULL,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "annotators" VALUES('cccccccccccccccccccccccccccccccc','Annotator',0,1.0);
INSERT INTO "annotators" VALUES('dddddddddddddddddddddddddddddddd','Teacher: oracle',1,1.0);
CREATE TABLE answers (
	id INTEGER NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	query_id VARCHAR(64) NOT NULL,
	annotator_id VARCHAR(64) NOT NULL,
	"key" VARCHAR(64) NOT NULL,
	choice VARCHAR(16) NOT NULL,
	left_id VARCHAR(64) NOT NULL,
	right_id VARCHAR(64) NOT NULL,
	supersedes INTEGER,
	is_late BOOLEAN NOT NULL,
	reward_version INTEGER NOT NULL,
	policy_version INTEGER NOT NULL,
	shown_at FLOAT,
	answered_at FLOAT,
	received_at FLOAT NOT NULL,
	details JSON NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(query_id) REFERENCES queries (id),
	FOREIGN KEY(annotator_id) REFERENCES annotators (id),
	UNIQUE ("key"),
	FOREIGN KEY(left_id) REFERENCES segments (id),
	FOREIGN KEY(right_id) REFERENCES segments (id),
	FOREIGN KEY(supersedes) REFERENCES answers (id)
);
INSERT INTO "answers" VALUES(1,'pendulum-swingup-000000','11111111111111111111111111111111','cccccccccccccccccccccccccccccccc','answer-0001','left','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',NULL,0,1,1,NULL,NULL,2.0,'{}');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	arrays VARCHAR(80) NOT NULL,
	steps BIGINT NOT NULL,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE events (
	id INTEGER NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	at FLOAT NOT NULL,
	steps BIGINT NOT NULL,
	kind VARCHAR(32) NOT NULL,
	message TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE jobs (
	id VARCHAR(64) NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	state VARCHAR(16) NOT NULL,
	subject VARCHAR(64) NOT NULL,
	queued_at FLOAT NOT NULL,
	attempts INTEGER NOT NULL,
	owner VARCHAR(64),
	lease_until FLOAT,
	error TEXT,
	PRIMARY KEY (id),
	UNIQUE (kind, subject),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE measurements (
	run_id VARCHAR(64) NOT NULL,
	name VARCHAR(64) NOT NULL,
	steps BIGINT NOT NULL,
	value FLOAT NOT NULL,
	at FLOAT NOT NULL,
	PRIMARY KEY (run_id, name, steps),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE migrations (
	name VARCHAR(64) NOT NULL,
	applied_at FLOAT NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO "migrations" VALUES('0001_initial',0.0);
CREATE TABLE policy_versions (
	run_id VARCHAR(64) NOT NULL,
	version INTEGER NOT NULL,
	arrays VARCHAR(80) NOT NULL,
	steps BIGINT NOT NULL,
	reward_version INTEGER NOT NULL,
	num_answers INTEGER NOT NULL,
	created_at FLOAT NOT NULL,
	replay_id VARCHAR(64),
	evaluation JSON,
	PRIMARY KEY (run_id, version),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(replay_id) REFERENCES segments (id)
);
CREATE TABLE queries (
	id VARCHAR(64) NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	left_id VARCHAR(64) NOT NULL,
	right_id VARCHAR(64) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	status VARCHAR(16) NOT NULL,
	score FLOAT,
	predicted FLOAT,
	policy_version INTEGER NOT NULL,
	reward_version INTEGER NOT NULL,
	created_at FLOAT NOT NULL,
	ready_at FLOAT,
	leased_to VARCHAR(64),
	leased_until FLOAT,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(left_id) REFERENCES segments (id),
	FOREIGN KEY(right_id) REFERENCES segments (id)
);
INSERT INTO "queries" VALUES('11111111111111111111111111111111','pendulum-swingup-000000','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','active','answered',NULL,NULL,1,1,2.0,NULL,NULL,NULL);
INSERT INTO "queries" VALUES('22222222222222222222222222222222','pendulum-swingup-000000','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','active','ready',NULL,NULL,1,1,3.0,NULL,NULL,NULL);
CREATE TABLE reward_versions (
	run_id VARCHAR(64) NOT NULL,
	version INTEGER NOT NULL,
	arrays VARCHAR(80) NOT NULL,
	num_answers INTEGER NOT NULL,
	steps BIGINT NOT NULL,
	report JSON NOT NULL,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (run_id, version),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE runs (
	id VARCHAR(64) NOT NULL,
	task VARCHAR(200) NOT NULL,
	goal TEXT NOT NULL,
	seed INTEGER NOT NULL,
	teacher VARCHAR(200),
	overrides JSON NOT NULL,
	config JSON,
	baseline JSON,
	wanted VARCHAR(16) NOT NULL,
	state VARCHAR(16) NOT NULL,
	steps BIGINT NOT NULL,
	total_steps BIGINT NOT NULL,
	policy_version INTEGER NOT NULL,
	reward_version INTEGER NOT NULL,
	num_left INTEGER NOT NULL,
	num_right INTEGER NOT NULL,
	num_equal INTEGER NOT NULL,
	num_skip INTEGER NOT NULL,
	num_late INTEGER NOT NULL,
	message TEXT NOT NULL,
	error TEXT,
	created_at FLOAT NOT NULL,
	updated_at FLOAT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('pendulum-swingup-000000','pendulum-swingup','Swing the pendulum up and hold it',0,NULL,'{}',NULL,NULL,'running','running',0,1000,0,0,1,0,0,0,0,'Learning.',NULL,1.0,1.0);
CREATE TABLE segment_truths (
	segment_id VARCHAR(64) NOT NULL,
	true_rewards VARCHAR(80) NOT NULL,
	PRIMARY KEY (segment_id),
	FOREIGN KEY(segment_id) REFERENCES segments (id)
);
CREATE TABLE segments (
	id VARCHAR(64) NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	arrays VARCHAR(80) NOT NULL,
	policy_version INTEGER NOT NULL,
	created_at FLOAT NOT NULL,
	clip VARCHAR(80),
	poster VARCHAR(80),
	clip_fps FLOAT,
	clip_frames INTEGER,
	ended_at_frame INTEGER,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "segments" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','pendulum-swingup-000000','x',1,1.0,'y.mp4','z.png',20.0,4,NULL);
INSERT INTO "segments" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','pendulum-swingup-000000','x',1,1.0,'y.mp4','z.png',20.0,4,NULL);
CREATE TABLE workers (
	id VARCHAR(64) NOT NULL,
	role VARCHAR(16) NOT NULL,
	pid INTEGER NOT NULL,
	host VARCHAR(200) NOT NULL,
	seen_at FLOAT NOT NULL,
	note TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX jobs_to_claim ON jobs (kind, state, queued_at);
CREATE INDEX checkpoints_of_run ON checkpoints (run_id, id);
CREATE INDEX events_of_run ON events (run_id, id);
CREATE INDEX queries_by_status ON queries (run_id, status, created_at);
CREATE INDEX answers_of_run ON answers (run_id, id);
CREATE INDEX answers_superseded ON answers (supersedes);
CREATE INDEX answers_of_query ON answers (query_id, annotator_id);
COMMIT;
