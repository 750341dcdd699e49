"""Ratings of single clips: append-only. What stands is derived: a row that nothing supersedes and no undo."""

import time
from typing import Any

import sqlalchemy as sa

from rlhf.storage.schema import answers, queries, ratings

RATINGS = "ratings"
"""Under this name the details of an answer hold the ratings, left and right, that it follows from."""
_newer = ratings.alias("newer")
_stands = ~sa.exists().where(_newer.c.supersedes == ratings.c.id) & ~ratings.c.is_undo


def insert_rating(connection: sa.Connection, **values: Any) -> None:
    """Append a rating or an undo of one; ``supersedes`` must be one that stands."""
    connection.execute(ratings.insert().values(received_at=time.time(), **values))


def find_rating(connection: sa.Connection, key: str) -> sa.RowMapping | None:
    """Return the rating with this idempotency key, or None."""
    return connection.execute(sa.select(ratings).where(ratings.c.key == key)).mappings().first()


def standing_ratings_of_query(
    connection: sa.Connection, query_id: str, annotator_id: str
) -> dict[str, sa.RowMapping]:
    """Return what an annotator's ratings of the clips of a query now are, by segment."""
    query = sa.select(ratings).where(
        ratings.c.query_id == query_id, ratings.c.annotator_id == annotator_id, _stands
    )
    return {row["segment_id"]: row for row in connection.execute(query.order_by(ratings.c.id)).mappings()}


def list_standing_ratings(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return the ratings of a run that stand, late ones included, in the order they came.

    Beside the rating's columns: the query's ``kind``; and ``pair_choice``, ``pair_details`` and
    ``pair_change_id`` of the latest answer to the pair by the same person, None where there was none.
    """
    own = answers.alias("own")
    theirs = (own.c.query_id == ratings.c.query_id) & (own.c.annotator_id == ratings.c.annotator_id)
    latest = sa.select(sa.func.max(own.c.id)).where(theirs).correlate(ratings).scalar_subquery()
    told = (answers.c[name].label(f"pair_{name}") for name in ("choice", "details", "change_id"))
    query = (
        sa.select(ratings, queries.c.kind, *told)
        .join(queries, queries.c.id == ratings.c.query_id)
        .outerjoin(answers, answers.c.id == latest)
        .where(ratings.c.run_id == run_id, _stands)
        .order_by(ratings.c.id)
    )
    return list(connection.execute(query).mappings())
