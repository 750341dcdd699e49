"""Everything about the answers of a run, row by row, for files: never all of it in memory."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from rlhf.storage.answer_search import status_text
from rlhf.storage.portable import to_json
from rlhf.storage.schema import annotators, answer_changes, answers, queries, segment_truths, segments
from rlhf.types.feedback import Choice

ANSWER_COLUMNS = tuple(
    column.name
    for column in answers.c
    if column.name not in ("id", "run_id", "supersedes", "query_kind", "search_text")
)
"""What a file says of an answer; beside it ``supersedes``, as the key of the answer it follows."""
QUERY_COLUMNS = tuple(
    column.name for column in queries.c if column.name not in ("run_id", "leased_to", "leased_until")
)
SEGMENT_COLUMNS = ("id", "arrays", "policy_version", "created_at")
CLIP_COLUMNS = ("clip", "poster", "clip_fps", "clip_frames", "ended_at_frame")
PERSON_COLUMNS = ("id", "name", "is_teacher", "created_at")
CHANGE_COLUMNS = tuple(column.name for column in answer_changes.c if column.name != "run_id")
_AT_ONCE = 500


def dump_answers(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield every row of a run's answers in the order they came, undos and voids too."""
    earlier = answers.alias("earlier")
    query = (
        sa.select(answers, earlier.c.key.label("superseded_key"))
        .outerjoin(earlier, earlier.c.id == answers.c.supersedes)
        .where(answers.c.run_id == run_id)
        .order_by(answers.c.id)
    )
    for row in _stream(connection, query):
        yield to_json(row, ANSWER_COLUMNS) | {"supersedes": row["superseded_key"]}


def dump_queries(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield the queries that somebody has answered."""
    asked = sa.exists().where(answers.c.query_id == queries.c.id)
    query = sa.select(queries).where(queries.c.run_id == run_id, asked).order_by(queries.c.id)
    return (to_json(row, QUERY_COLUMNS) for row in _stream(connection, query))


def dump_segments(connection: sa.Connection, run_id: str, *, clips: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the segments of those queries, in order of ids; with ``clips`` also what was drawn of them."""
    query = sa.select(segments).where(segments.c.id.in_(_answered_about(run_id))).order_by(segments.c.id)
    columns = SEGMENT_COLUMNS + (CLIP_COLUMNS if clips else ())
    return (to_json(row, columns) for row in _stream(connection, query))


def dump_truths(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield ``segment_id`` and the blob of true rewards of those segments; only for who asked for them."""
    query = sa.select(segment_truths).where(segment_truths.c.segment_id.in_(_answered_about(run_id)))
    rows = _stream(connection, query.order_by(segment_truths.c.segment_id))
    return (to_json(row, ("segment_id", "true_rewards")) for row in rows)


def dump_people(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield who answered: name and kind, nothing else that is known of them."""
    answered = sa.exists().where(answers.c.run_id == run_id, answers.c.annotator_id == annotators.c.id)
    query = sa.select(annotators).where(answered).order_by(annotators.c.id)
    return (to_json(row, PERSON_COLUMNS) for row in _stream(connection, query))


def dump_changes(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield what researchers did to the answers, in the order they did it."""
    query = sa.select(answer_changes).where(answer_changes.c.run_id == run_id)
    rows = _stream(connection, query.order_by(answer_changes.c.at, answer_changes.c.id))
    return (to_json(row, CHANGE_COLUMNS) for row in rows)


def dump_table(connection: sa.Connection, run_id: str) -> Iterator[sa.RowMapping]:
    """Yield the answers without undos, the oldest first, with ``name``, ``status`` and ``predicted``.

    ``predicted`` is the model's probability, when it asked, that the clip seen on the left is preferred.
    """
    as_asked = answers.c.left_id == queries.c.left_id
    predicted = sa.case((as_asked, queries.c.predicted), else_=1.0 - queries.c.predicted)
    query = (
        sa.select(answers, annotators.c.name, annotators.c.is_teacher)
        .add_columns(status_text().label("status"), predicted.label("predicted"))
        .join(annotators, annotators.c.id == answers.c.annotator_id)
        .join(queries, queries.c.id == answers.c.query_id)
        .where(answers.c.run_id == run_id, answers.c.choice != Choice.UNDO)
        .order_by(answers.c.id)
    )
    return _stream(connection, query)


def _answered_about(run_id: str) -> sa.CompoundSelect[Any]:
    sides = (
        sa.select(side).where(answers.c.run_id == run_id) for side in (answers.c.left_id, answers.c.right_id)
    )
    return sa.union(*sides)


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[sa.RowMapping]:
    yield from connection.execute(query, execution_options={"yield_per": _AT_ONCE}).mappings()
