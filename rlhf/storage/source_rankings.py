"""Comparisons of sources for a task, or of ways to start from one: how far each is, and what it found."""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import source_rankings


def insert_ranking(connection: sa.Connection, run_id: str, target: str, settings: Mapping[str, Any]) -> str:
    """Add a comparison that has not begun and return its id.

    Args:
        connection: in a transaction.
        run_id: on whose page it was asked for.
        target: name of the task that is to be started.
        settings: how candidates are compared.
    """
    ranking_id = uuid.uuid4().hex
    connection.execute(
        source_rankings.insert().values(
            id=ranking_id,
            run_id=run_id,
            target=target,
            settings=dict(settings),
            num_done=0,
            num_in_all=0,
            message="",
            created_at=time.time(),
        )
    )
    return ranking_id


def get_ranking(connection: sa.Connection, ranking_id: str) -> sa.RowMapping:
    """Return one comparison.

    Raises:
        NotFoundError: there is none, or it was stopped.
    """
    query = sa.select(source_rankings).where(source_rankings.c.id == ranking_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no comparison of sources {ranking_id!r}; it may have been stopped.")
    return row


def newest_ranking(
    connection: sa.Connection, target: str, *, ways_of: str = "", is_finished: bool
) -> sa.RowMapping | None:
    """Return the newest comparison for a task that is finished, or that is not; None if there is none.

    Args:
        connection: to read with.
        target: name of the task.
        ways_of: the source whose ways are compared; empty: sources are.
        is_finished: which.
    """
    when = source_rankings.c.finished_at
    query = (
        sa.select(source_rankings)
        .where(_alike(target, ways_of), when.is_not(None) if is_finished else when.is_(None))
        .order_by(source_rankings.c.created_at.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().first()


def note_progress(
    connection: sa.Connection, ranking_id: str, num_done: int, num_in_all: int, message: str
) -> bool:
    """Say how far a comparison is; return whether it is still wanted."""
    found = connection.execute(
        source_rankings.update()
        .where(source_rankings.c.id == ranking_id)
        .values(num_done=num_done, num_in_all=num_in_all, message=message)
    )
    return bool(found.rowcount)


def finish_ranking(connection: sa.Connection, ranking_id: str, sources: Sequence[Mapping[str, Any]]) -> None:
    """Keep what a comparison found, in place of what earlier ones of the same did.

    Raises:
        NotFoundError: it was stopped meanwhile.
    """
    row = get_ranking(connection, ranking_id)
    connection.execute(
        source_rankings.delete().where(
            _alike(row["target"], row["settings"].get("ways_of", "")),
            source_rankings.c.id != ranking_id,
            source_rankings.c.created_at <= row["created_at"],
        )
    )
    connection.execute(
        source_rankings.update()
        .where(source_rankings.c.id == ranking_id)
        .values(sources=[dict(source) for source in sources], finished_at=time.time(), message="")
    )


def delete_ranking(connection: sa.Connection, ranking_id: str) -> None:
    """Forget a comparison, which ends it if it goes on."""
    connection.execute(source_rankings.delete().where(source_rankings.c.id == ranking_id))


def _alike(target: str, ways_of: str) -> sa.ColumnElement[bool]:
    """Return what holds of comparisons for a task of the same source's ways, or of sources."""
    own = sa.func.coalesce(source_rankings.c.settings["ways_of"].as_string(), "")
    return (source_rankings.c.target == target) & (own == ways_of)
