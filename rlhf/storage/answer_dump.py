"""All that people told a run, answers and demonstrations, row by row, for files: never all in memory."""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from rlhf.storage.answer_search import status_text
from rlhf.storage.portable import to_json
from rlhf.storage.schema import (
    acts,
    annotators,
    answer_changes,
    answers,
    demonstrations,
    queries,
    rankings,
    ratings,
    segment_truths,
    segments,
)
from rlhf.types.feedback import Choice
from rlhf.types.people import ActKind

ANSWER_COLUMNS = tuple(
    column.name
    for column in answers.c
    if column.name not in ("id", "run_id", "supersedes", "query_kind", "search_text")
)
"""What a file says of an answer; beside it ``supersedes``, as the key of the answer it follows."""
RATING_COLUMNS = tuple(
    column.name for column in ratings.c if column.name not in ("id", "run_id", "supersedes")
)
"""As with answers."""
RANKING_COLUMNS = ("key", "order", "num_ranked")
ACT_COLUMNS = tuple(column.name for column in acts.c if column.name not in ("id", "run_id"))
QUERY_COLUMNS = tuple(
    column.name for column in queries.c if column.name not in ("run_id", "leased_to", "leased_until")
)
SEGMENT_COLUMNS = ("id", "arrays", "policy_version", "created_at")
CLIP_COLUMNS = ("clip", "poster", "clip_fps", "clip_frames", "ended_at_frame")
DEMONSTRATION_COLUMNS = tuple(column.name for column in demonstrations.c if column.name != "run_id")
PERSON_COLUMNS = ("id", "name", "is_teacher", "created_at")
CHANGE_COLUMNS = tuple(column.name for column in answer_changes.c if column.name != "run_id")
_AT_ONCE = 500


def dump_answers(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield every row of a run's answers in the order they came, undos and voids too."""
    return _dump_superseding(connection, run_id, answers, ANSWER_COLUMNS)


def dump_ratings(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield every row of a run's ratings in the order they came, undos too."""
    return _dump_superseding(connection, run_id, ratings, RATING_COLUMNS)


def dump_rankings(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield the rankings of a run in order of keys; the answers to their pairs are among the answers."""
    query = sa.select(rankings).where(rankings.c.run_id == run_id).order_by(rankings.c.key)
    return (to_json(row, RANKING_COLUMNS) for row in _stream(connection, query))


def dump_acts(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield what researchers decided about people and pairs, in the order they did it."""
    query = sa.select(acts).where(acts.c.run_id == run_id).order_by(acts.c.id)
    return (to_json(row, ACT_COLUMNS) for row in _stream(connection, query))


def dump_queries(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield the queries that anything is said about, those that show an earlier one again behind the rest."""
    query = sa.select(queries).where(queries.c.id.in_(_spoken_of(run_id)))
    query = query.order_by(queries.c.again.is_not(None), queries.c.id)
    return (to_json(row, QUERY_COLUMNS) for row in _stream(connection, query))


def dump_segments(connection: sa.Connection, run_id: str, *, clips: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the segments of those queries and of demonstrations, in order of ids.

    With ``clips`` also what was drawn of them.
    """
    query = sa.select(segments).where(segments.c.id.in_(_shown(run_id))).order_by(segments.c.id)
    columns = SEGMENT_COLUMNS + (CLIP_COLUMNS if clips else ())
    return (to_json(row, columns) for row in _stream(connection, query))


def dump_demonstrations(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield what was shown to a run, voided or not, the oldest first."""
    query = sa.select(demonstrations).where(demonstrations.c.run_id == run_id)
    rows = _stream(connection, query.order_by(demonstrations.c.created_at, demonstrations.c.id))
    return (to_json(row, DEMONSTRATION_COLUMNS) for row in rows)


def dump_truths(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield ``segment_id`` and the blob of true rewards of those segments; only for who asked for them."""
    query = sa.select(segment_truths).where(segment_truths.c.segment_id.in_(_shown(run_id)))
    rows = _stream(connection, query.order_by(segment_truths.c.segment_id))
    return (to_json(row, ("segment_id", "true_rewards")) for row in rows)


def dump_people(connection: sa.Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield who answered, showed something or was decided about: name and kind, nothing else of them."""
    named = sa.or_(
        *(
            sa.exists().where(table.c.run_id == run_id, column == annotators.c.id)
            for table, column in (
                (answers, answers.c.annotator_id),
                (ratings, ratings.c.annotator_id),
                (acts, acts.c.subject),
                (demonstrations, demonstrations.c.annotator_id),
            )
        )
    )
    query = sa.select(annotators).where(named).order_by(annotators.c.id)
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


def _dump_superseding(
    connection: sa.Connection, run_id: str, table: sa.Table, columns: Collection[str]
) -> Iterator[dict[str, Any]]:
    earlier = table.alias("earlier")
    query = (
        sa.select(table, earlier.c.key.label("superseded_key"))
        .outerjoin(earlier, earlier.c.id == table.c.supersedes)
        .where(table.c.run_id == run_id)
        .order_by(table.c.id)
    )
    for row in _stream(connection, query):
        yield to_json(row, columns) | {"supersedes": row["superseded_key"]}


def _spoken_of(run_id: str) -> sa.CompoundSelect[Any]:
    """Select the ids of queries that were answered, rated or marked as gold, or shown again and answered."""
    said = [sa.select(table.c.query_id).where(table.c.run_id == run_id) for table in (answers, ratings)]
    marked = sa.select(acts.c.subject).where(acts.c.run_id == run_id, acts.c.kind == ActKind.GOLD)
    again = queries.alias("again")
    earlier = sa.select(again.c.again).where(
        again.c.run_id == run_id, again.c.again.is_not(None), again.c.id.in_(sa.union(*said))
    )
    return sa.union(*said, marked, earlier)


def _shown(run_id: str) -> sa.CompoundSelect[Any]:
    """Select the ids of the segments of those queries, of demonstrations, and of what these took over.

    A ranking is of the segments of two queries.
    """
    asked = queries.c.id.in_(_spoken_of(run_id))
    is_own = demonstrations.c.run_id == run_id
    has_origin = is_own & demonstrations.c.origin_id.is_not(None)
    return sa.union(
        *(sa.select(side).where(asked) for side in (queries.c.left_id, queries.c.right_id)),
        sa.select(demonstrations.c.segment_id).where(is_own),
        sa.select(demonstrations.c.origin_id).where(has_origin),
    )


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[sa.RowMapping]:
    yield from connection.execute(query, execution_options={"yield_per": _AT_ONCE}).mappings()
