"""Every table on one page. Times are seconds since the epoch, UTC."""

import enum
from typing import Any

import sqlalchemy as sa

from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.feedback import ChangeKind, Choice, QueryKind
from rlhf.types.people import ActKind, Role
from rlhf.types.run import JobKind, JobState, QueryStatus, RunState

metadata = sa.MetaData()


class _Value(sa.TypeDecorator[Any]):
    """An enum stored as its value, so that stored words do not depend on Python names."""

    impl = sa.String(16)
    cache_ok = True

    def __init__(self, kind: type[enum.Enum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else self.kind(value)


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.String(64), primary_key=True)


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index that holds only some rows."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _run_id() -> sa.Column[str]:
    return sa.Column("run_id", sa.ForeignKey("runs.id"), nullable=False)


migrations = sa.Table(
    "migrations",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("applied_at", sa.Float, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    _id(),
    sa.Column("task", sa.String(200), nullable=False),
    sa.Column("goal", sa.Text, nullable=False),  # the task's, so that showing a run needs no environment
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("teacher", sa.String(200)),  # spec of a synthetic teacher that answers, or null
    sa.Column("overrides", sa.JSON, nullable=False),  # dotted settings that differ from the task's preset
    sa.Column("config", sa.JSON),  # the whole configuration as the trainer resolved it
    sa.Column("baseline", sa.JSON),  # {random_return, teacher_scale}: statistics of a random policy
    sa.Column("wanted", _Value(RunState), nullable=False),
    sa.Column("state", _Value(RunState), nullable=False),
    sa.Column("steps", sa.BigInteger, nullable=False, default=0),
    sa.Column("total_steps", sa.BigInteger, nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False, default=0),
    sa.Column("reward_version", sa.Integer, nullable=False, default=0),
    # Answers that stand, by choice and the late ones of any choice apart: counting rows takes too long.
    sa.Column("num_left", sa.Integer, nullable=False, default=0),
    sa.Column("num_right", sa.Integer, nullable=False, default=0),
    sa.Column("num_equal", sa.Integer, nullable=False, default=0),
    sa.Column("num_skip", sa.Integer, nullable=False, default=0),
    sa.Column("num_late", sa.Integer, nullable=False, default=0),
    sa.Column("message", sa.Text, nullable=False, default=""),  # what the run is doing, for people
    sa.Column("error", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

# What a run took from another one when it was made. The source is named and not referred to, and what was
# taken is in blobs, reward versions and answers of the run's own: it stays when the source does not.
origins = sa.Table(
    "origins",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("source_id", sa.String(64), nullable=False),
    sa.Column("policy_version", sa.Integer),
    sa.Column("policy", sa.String(80)),  # blob
    sa.Column("critic", sa.String(80)),  # blob
    sa.Column("reward_version", sa.Integer),
    sa.Column("num_answers", sa.Integer),
    sa.Column("created_at", sa.Float, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _id(),
    _run_id(),
    sa.Column("kind", _Value(JobKind), nullable=False),
    sa.Column("state", _Value(JobState), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),  # id of what the job works on
    sa.Column("queued_at", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", sa.Float),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("kind", "subject"),
    sa.Index("jobs_to_claim", "kind", "state", "queued_at"),
)

segments = sa.Table(
    "segments",
    metadata,
    _id(),
    _run_id(),
    sa.Column("arrays", sa.String(80), nullable=False),  # blob
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("clip", sa.String(80)),  # blob, null until drawn
    sa.Column("poster", sa.String(80)),  # blob
    sa.Column("strip", sa.String(80)),  # blob: moments of a whole episode side by side; null for shorter ones
    sa.Column("clip_fps", sa.Float),
    sa.Column("clip_frames", sa.Integer),
    sa.Column("ended_at_frame", sa.Integer),
    sa.Index("segments_of_run", "run_id", "created_at"),
)

# Apart from the segments on purpose: only teachers and evaluation read it.
segment_truths = sa.Table(
    "segment_truths",
    metadata,
    sa.Column("segment_id", sa.ForeignKey("segments.id"), primary_key=True),
    sa.Column("true_rewards", sa.String(80), nullable=False),  # blob
)

# Whole episodes from their start on, as a person or a scripted expert acted them. Their true rewards are with
# those of all segments.
demonstrations = sa.Table(
    "demonstrations",
    metadata,
    _id(),
    _run_id(),
    sa.Column("segment_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("annotator_id", sa.ForeignKey("annotators.id")),  # null for a scripted expert
    sa.Column("source", _Value(DemonstrationSource), nullable=False),
    sa.Column("num_steps", sa.Integer, nullable=False),
    sa.Column("terminated", sa.Boolean, nullable=False),  # the environment ended it before the horizon
    sa.Column("origin_id", sa.ForeignKey("segments.id")),  # what was taken over, and from which step of it on
    sa.Column("origin_step", sa.Integer),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("voided_at", sa.Float),  # set while nothing is to be learned from it
    sa.Index("demonstrations_of_run", "run_id", "created_at"),
)

queries = sa.Table(
    "queries",
    metadata,
    _id(),
    _run_id(),
    sa.Column("left_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("right_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("kind", _Value(QueryKind), nullable=False),
    sa.Column("status", _Value(QueryStatus), nullable=False),
    sa.Column("score", sa.Float),  # what the acquisition function gave
    sa.Column("predicted", sa.Float),  # the model's P(left preferred) when it was asked
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("reward_version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ready_at", sa.Float),
    sa.Column("leased_to", sa.String(64)),
    sa.Column("leased_until", sa.Float),
    sa.Column("asked_of", sa.String(64)),  # the only person it is for, or null
    sa.Column("again", sa.ForeignKey("queries.id")),  # the query whose pair it shows once more
    # Of so many different people: more than one where their agreement is to be known.
    sa.Column("wanted_answers", sa.Integer, nullable=False, default=1, server_default="1"),
    sa.Index("queries_by_status", "run_id", "status", "created_at"),
    # Only of the few with a value, or "is null" would be looked up in it, which is nearly all.
    sa.Index(
        "queries_asked_of",
        "asked_of",
        "run_id",
        sqlite_where=sa.text("asked_of IS NOT NULL"),
        postgresql_where=sa.text("asked_of IS NOT NULL"),
    ),
)

annotators = sa.Table(
    "annotators",
    metadata,
    _id(),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("is_teacher", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("role", _Value(Role)),  # null: a teacher, or somebody who may do nothing once people sign in
    sa.Column("labels_all_runs", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("subject", sa.String(300)),  # who they are to the identity provider, if there is one
    sa.Index("annotators_subject", "subject", unique=True),
)

# Runs that an annotator may label who may not label all.
annotator_runs = sa.Table(
    "annotator_runs",
    metadata,
    sa.Column("annotator_id", sa.ForeignKey("annotators.id"), primary_key=True),
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
)

# Links that let people in. Of a token only its SHA-256 is kept, so that reading the database lets nobody in.
invitations = sa.Table(
    "invitations",
    metadata,
    _id(),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("role", _Value(Role)),  # null: signs the named person in and changes no role
    sa.Column("run_id", sa.ForeignKey("runs.id")),  # null: all runs
    sa.Column("annotator_id", sa.ForeignKey("annotators.id")),  # whom it signs in; null: whoever opens it
    sa.Column("created_by", sa.ForeignKey("annotators.id")),  # null: the command line
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
    sa.Column("max_uses", sa.Integer),  # null: as often as somebody likes
    sa.Column("uses", sa.Integer, nullable=False, default=0),
)

sign_ins = sa.Table(
    "sign_ins",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),  # of the browser's cookie
    sa.Column("annotator_id", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Index("sign_ins_of", "annotator_id"),
)

# What researchers did to the answers of a run: each act once, however many answers it was about.
answer_changes = sa.Table(
    "answer_changes",
    metadata,
    _id(),
    _run_id(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),  # id of an annotator, or a name from the shell
    sa.Column("kind", _Value(ChangeKind), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("num_answers", sa.Integer, nullable=False),  # rises while a large act is being done
    sa.Column("reverts", sa.ForeignKey("answer_changes.id")),
    sa.Index("answer_changes_of_run", "run_id", "at"),
)

# Append-only: undo and change are new rows that supersede an old one.
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("query_id", sa.ForeignKey("queries.id"), nullable=False),
    sa.Column("annotator_id", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("key", sa.String(64), nullable=False, unique=True),  # idempotency key made in the browser
    sa.Column("choice", _Value(Choice), nullable=False),
    sa.Column("left_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("right_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("supersedes", sa.ForeignKey("answers.id")),
    sa.Column("is_late", sa.Boolean, nullable=False),  # the query had expired; kept, not learned from
    sa.Column("reward_version", sa.Integer, nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("shown_at", sa.Float),
    sa.Column("answered_at", sa.Float),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),  # whatever else the browser said
    sa.Column("query_kind", _Value(QueryKind)),  # the query's, so that answers can be told apart without it
    sa.Column("search_text", sa.Text),  # tags and comment of the details in lower case
    # The researcher's act that this row belongs to; an UNDO that has one voids the answer it supersedes.
    sa.Column("change_id", sa.ForeignKey("answer_changes.id")),
    # Holds what the answers of a run are filtered by: counting a million reads no row of the table.
    sa.Index(
        "answers_to_filter",
        *("run_id", "id", "annotator_id", "choice", "query_kind", "reward_version", "received_at", "is_late"),
    ),
    sa.Index("answers_of_person", "run_id", "annotator_id", "id"),
    sa.Index("answers_with_text", "run_id", "id", **_where("search_text IS NOT NULL")),
    sa.Index("answers_of_change", "run_id", "change_id", **_where("change_id IS NOT NULL")),
    sa.Index("answers_of_query", "query_id", "annotator_id"),
    sa.Index(
        "answers_superseded",
        *("supersedes", "choice", "change_id", "run_id"),
        **_where("supersedes IS NOT NULL"),
    ),
)

# Append-only: what researchers decided about people and pairs; the newest of a kind on a subject holds.
acts = sa.Table(
    "acts",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("by", sa.String(100), nullable=False),
    sa.Column("kind", _Value(ActKind), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),  # id of an annotator or of a query
    sa.Column("value", sa.JSON),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("acts_on_subject", "run_id", "kind", "subject", "id"),
)

# What researchers want of a reward before anybody answered. Append-only: the newest design of a run holds.
reward_designs = sa.Table(
    "reward_designs",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("by", sa.String(100), nullable=False),
    sa.Column("design", sa.JSON, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("reward_designs_of_run", "run_id", "id"),
)

# Two pairs answered at once by putting their clips in order. Each pair has a row of its own in ``answers``
# too, whose details name the ranking; it counts while those rows stand. Rows never change.
rankings = sa.Table(
    "rankings",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    _run_id(),
    sa.Column("order", sa.JSON, nullable=False),  # ids of all segments shown, best first
    sa.Column("num_ranked", sa.Integer, nullable=False),  # places given; those behind are in no order
    sa.Index("rankings_of_run", "run_id"),
)

# Append-only, as answers are. Both clips of a pair rated make an answer to the pair.
ratings = sa.Table(
    "ratings",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("query_id", sa.ForeignKey("queries.id"), nullable=False),
    sa.Column("segment_id", sa.ForeignKey("segments.id"), nullable=False),
    sa.Column("annotator_id", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("key", sa.String(64), nullable=False, unique=True),  # idempotency key made in the browser
    sa.Column("rating", sa.Integer),  # 1 very bad to 5 very good; null for "can't tell" and for undos
    sa.Column("is_undo", sa.Boolean, nullable=False),
    sa.Column("supersedes", sa.ForeignKey("ratings.id")),
    sa.Column("is_late", sa.Boolean, nullable=False),  # the query had expired; kept, not learned from
    sa.Column("shown_at", sa.Float),
    sa.Column("answered_at", sa.Float),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("ratings_of_run", "run_id", "id"),
    sa.Index("ratings_of_query", "query_id", "annotator_id"),
    sa.Index("ratings_superseded", "supersedes"),
)

reward_versions = sa.Table(
    "reward_versions",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("arrays", sa.String(80), nullable=False),  # blob
    sa.Column("num_answers", sa.Integer, nullable=False),
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

policy_versions = sa.Table(
    "policy_versions",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("arrays", sa.String(80), nullable=False),  # blob: what is needed to act
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("reward_version", sa.Integer, nullable=False),
    sa.Column("num_answers", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("replay_id", sa.ForeignKey("segments.id")),  # one whole episode, null until evaluated
    sa.Column("evaluation", sa.JSON),  # {true_returns, predicted_returns, episode_steps}
)

# Episodes of saved policies from other starts than the usual one, as somebody asked to see them.
replays = sa.Table(
    "replays",
    metadata,
    _id(),
    _run_id(),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("reset_seed", sa.BigInteger, nullable=False),
    sa.Column("segment_id", sa.ForeignKey("segments.id")),  # null until recorded
    sa.UniqueConstraint("run_id", "policy_version", "reset_seed"),
)

# One a run, made where somebody looks at it. While it is brought up to date the one before stays on show.
behaviour_maps = sa.Table(
    "behaviour_maps",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("arrays", sa.String(80)),  # blob, null until there is something to see
    sa.Column(
        "draft", sa.String(80)
    ),  # blob, the next one as far as it has come; null when none is being made
    sa.Column("num_done", sa.Integer, nullable=False),  # segments in the draft, or in the map without one
    sa.Column("num_segments", sa.Integer, nullable=False),  # how many there are to be in it
    sa.Column(
        "shows", sa.JSON
    ),  # what the run had when the map was begun that is on show, to tell if it is old
    sa.Column("updated_at", sa.Float, nullable=False),
)

# Saved policies of all runs compared as sources for a task, as somebody asked for it.
source_rankings = sa.Table(
    "source_rankings",
    metadata,
    _id(),
    _run_id(),  # on whose page it was asked for
    sa.Column("target", sa.String(200), nullable=False),  # name of the task
    sa.Column("settings", sa.JSON, nullable=False),  # how they are compared, {reward_from: "RUN:VERSION"} too
    sa.Column("num_done", sa.Integer, nullable=False),
    sa.Column("num_in_all", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),  # what is being done, for people
    sa.Column("sources", sa.JSON),  # the most promising first; null until it is finished
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Index("source_rankings_of_target", "target", "created_at"),
)

# What looking ahead would bring a run, as somebody asked for it. What was found stays until there is more.
foresights = sa.Table(
    "foresights",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("begun_at", sa.Float),  # null while none is being made
    sa.Column("num_done", sa.Integer, nullable=False),
    sa.Column("num_in_all", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),  # what is being done, for people
    sa.Column(
        "found", sa.JSON
    ),  # what ``evaluate_foresight`` returns, and of the clip its rate and length, or why there is none
    sa.Column("clip", sa.String(80)),  # blob, what happened beside what was foreseen; null where not drawn
    sa.Column("found_at", sa.Float),
)

# State to go on from after a crash; only the newest few are kept.
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("arrays", sa.String(80), nullable=False),  # blob
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("checkpoints_of_run", "run_id", "id"),
)

measurements = sa.Table(
    "measurements",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("steps", sa.BigInteger, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _run_id(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Index("events_of_run", "run_id", "id"),
)

workers = sa.Table(
    "workers",
    metadata,
    _id(),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("note", sa.Text, nullable=False),  # e.g. which drawing path the renderer uses
)
