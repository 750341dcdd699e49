"""Queries -> feedback from a synthetic teacher, through the same store and queue as people.

The teacher judges by the true rewards of the two segments; it never sees the pictures, so a query need
not be drawn before a teacher answers it.
"""

import dataclasses
import time
import uuid

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.feedback.teachers import Teacher, TeacherScale, parse_teacher
from rlhf.loop.config import RunConfig
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.schedule import labels_due
from rlhf.seeding import generator
from rlhf.storage import answers, demonstrations, queries, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.storage.segments import load_true_rewards
from rlhf.types.feedback import QueryKind


def ask_teacher(engine: sa.Engine, blobs: Blobs, run_id: str, count: int) -> int:
    """Let the run's teacher answer up to ``count`` open queries, the oldest first.

    Queries that a person is looking at are left to that person; second answers, and what somebody picked, to
    people.

    Returns:
        How many it answered.

    Raises:
        FeedbackError: the run has no teacher, or no random policy has set the teacher's scale yet.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        now = time.time()
        unanswered = queries.list_unanswered(connection, run_id)
    free = [q for q in unanswered if q["kind"] is not QueryKind.PICKED and not _is_leased(q, now)][:count]
    if run["teacher"] is None or run["baseline"] is None:
        raise FeedbackError(f"run {run_id} has no teacher, or has not explored yet; nobody can answer.")
    teacher = parse_teacher(run["teacher"])
    scale = TeacherScale(**run["baseline"]["teacher_scale"])
    for query in free:
        _answer(engine, blobs, run, query, teacher, scale)
    return len(free)


def answers_due(connection: sa.Connection, run_id: str, config: RunConfig, steps: int) -> tuple[int, int]:
    """Return how many answers a synthetic teacher should have given, and how many it has.

    Args:
        connection: to read with.
        run_id: of the run.
        config: of the run.
        steps: that it has done.
    """
    schedule = config.schedule
    if demonstrations.has_valid(connection, run_id):
        fewer = min(schedule.initial_labels, config.demonstrations.initial_labels)
        schedule = dataclasses.replace(schedule, initial_labels=fewer)
    given = sum(answers.count_standing(connection, run_id).values())
    return labels_due(schedule, steps), given


def _answer(
    engine: sa.Engine,
    blobs: Blobs,
    run: sa.RowMapping,
    query: sa.RowMapping,
    teacher: Teacher,
    scale: TeacherScale,
) -> None:
    with reading(engine) as connection:
        left, right = load_true_rewards(connection, blobs, [query["left_id"], query["right_id"]])
        asked = answers.count_rows(connection, run["id"])
    # Drawn anew for each answer from the run's seed, so that a teacher needs no state of its own. By count,
    # not by the answer's id: ids go on across the runs of a store.
    given = teacher.answer(left, right, scale, generator(run["seed"], "teacher", asked))
    with writing(engine) as connection:
        annotator = answers.insert_annotator(connection, f"Teacher: {given.member_name}", is_teacher=True)
    now = time.time()
    record_answer(
        engine,
        run["id"],
        annotator,
        Answer(
            key=uuid.uuid4().hex, query_id=query["id"], choice=given.choice, shown_at=now, answered_at=now
        ),
    )


def _is_leased(query: sa.RowMapping, now: float) -> bool:
    return query["leased_until"] is not None and query["leased_until"] > now
