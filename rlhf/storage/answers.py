"""Answers: append-only. What counts is derived: a row that nothing supersedes and that is no undo."""

import time
import uuid
from typing import Any

import sqlalchemy as sa

from rlhf.storage.schema import annotators, answers, queries
from rlhf.types.feedback import Choice

_newer = answers.alias("newer")
_stands = ~sa.exists().where(_newer.c.supersedes == answers.c.id) & (answers.c.choice != Choice.UNDO)


def insert_annotator(
    connection: sa.Connection, name: str, *, is_teacher: bool, annotator_id: str | None = None
) -> str:
    """Return the id of the annotator with this name and kind (or with this id), adding it if it is new."""
    if annotator_id is None:
        found = connection.scalar(
            sa.select(annotators.c.id).where(annotators.c.name == name, annotators.c.is_teacher == is_teacher)
        )
        annotator_id = uuid.uuid4().hex if found is None else str(found)
    else:
        found = connection.scalar(sa.select(annotators.c.id).where(annotators.c.id == annotator_id))
    if found is None:
        connection.execute(
            annotators.insert().values(
                id=annotator_id, name=name, is_teacher=is_teacher, created_at=time.time()
            )
        )
    return annotator_id


def find_by_key(connection: sa.Connection, key: str) -> sa.RowMapping | None:
    """Return the answer with this idempotency key, or None."""
    return connection.execute(sa.select(answers).where(answers.c.key == key)).mappings().first()


def standing_answer(connection: sa.Connection, query_id: str, annotator_id: str) -> sa.RowMapping | None:
    """Return what an annotator's answer to a query now is, or None."""
    query = sa.select(answers).where(
        answers.c.query_id == query_id, answers.c.annotator_id == annotator_id, _stands
    )
    return connection.execute(query.order_by(answers.c.id.desc()).limit(1)).mappings().first()


def count_standing_of_query(connection: sa.Connection, query_id: str) -> int:
    """Return how many answers to a query stand, of all annotators."""
    query = sa.select(sa.func.count()).select_from(answers).where(answers.c.query_id == query_id, _stands)
    return int(connection.scalar(query) or 0)


def insert_answer(connection: sa.Connection, **values: Any) -> int:
    """Append an answer and return its number."""
    result = connection.execute(answers.insert().values(received_at=time.time(), **values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]  # an insert of one row has one


def standing_answers(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return the answers of a run that stand, late ones included, in the order they came.

    Beside the answer's columns: the query's ``kind`` and the model's ``predicted`` probability.
    """
    query = (
        sa.select(answers, queries.c.kind, queries.c.predicted)
        .join(queries, queries.c.id == answers.c.query_id)
        .where(answers.c.run_id == run_id, _stands)
        .order_by(answers.c.id)
    )
    return list(connection.execute(query).mappings())


def count_standing(connection: sa.Connection, run_id: str) -> dict[Choice, int]:
    """Return how many answers of each choice stand."""
    query = (
        sa.select(answers.c.choice, sa.func.count())
        .where(answers.c.run_id == run_id, _stands)
        .group_by(answers.c.choice)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def count_rows(connection: sa.Connection, run_id: str) -> int:
    """Return how many rows a run has, undos and replaced answers included; it never falls."""
    query = sa.select(sa.func.count()).select_from(answers).where(answers.c.run_id == run_id)
    return int(connection.scalar(query) or 0)


def count_changes(connection: sa.Connection, run_id: str, after_id: int) -> int:
    """Return how many rows after ``after_id`` may change what is learned: not late ones, not skips."""
    query = (
        sa.select(sa.func.count())
        .select_from(answers)
        .where(answers.c.run_id == run_id, answers.c.id > after_id)
        .where(~answers.c.is_late, answers.c.choice != Choice.SKIP)
    )
    return int(connection.scalar(query) or 0)


def last_id(connection: sa.Connection, run_id: str) -> int:
    """Return the number of a run's newest row, undos included; 0 when there is none."""
    return int(connection.scalar(sa.select(sa.func.max(answers.c.id)).where(answers.c.run_id == run_id)) or 0)
