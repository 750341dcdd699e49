"""What looking ahead would bring runs, one measurement a run: how far it is, and what the latest found."""

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import foresights


def get_foresight(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return the row of a run's measurement, or None where none was begun."""
    query = sa.select(foresights).where(foresights.c.run_id == run_id)
    return connection.execute(query).mappings().first()


def begin(connection: sa.Connection, run_id: str) -> None:
    """Begin a run's next measurement; what the one before found stays until it is there."""
    fresh = {"begun_at": time.time(), "num_done": 0, "num_in_all": 0, "message": ""}
    if get_foresight(connection, run_id) is None:
        connection.execute(foresights.insert().values(run_id=run_id, **fresh))
    else:
        connection.execute(foresights.update().where(foresights.c.run_id == run_id).values(**fresh))


def note_progress(
    connection: sa.Connection, run_id: str, num_done: int, num_in_all: int, message: str
) -> bool:
    """Say how far a run's measurement is; return whether it is still wanted."""
    found = connection.execute(
        foresights.update()
        .where(_is_wanted(run_id))
        .values(num_done=num_done, num_in_all=num_in_all, message=message)
    )
    return bool(found.rowcount)


def finish(connection: sa.Connection, run_id: str, found: Mapping[str, Any], clip: str | None) -> str | None:
    """Keep what a run's measurement found; return the clip before it if nothing refers to that any more.

    Raises:
        NotFoundError: it was stopped meanwhile.
    """
    before = get_foresight(connection, run_id)
    done = connection.execute(
        foresights.update()
        .where(_is_wanted(run_id))
        .values(begun_at=None, message="", found=dict(found), clip=clip, found_at=time.time())
    )
    if before is None or not done.rowcount:
        raise NotFoundError(f"nothing about looking ahead is being measured for run {run_id!r}.")
    return None if is_shown(connection, before["clip"]) else before["clip"]


def is_shown(connection: sa.Connection, clip: str | None) -> bool:
    """Whether a clip is what some run's measurement found."""
    showing = sa.select(foresights.c.run_id).where(foresights.c.clip == clip).limit(1)
    return connection.execute(showing).first() is not None


def stop(connection: sa.Connection, run_id: str) -> None:
    """Give a run's measurement up; what the one before found stays."""
    connection.execute(foresights.update().where(foresights.c.run_id == run_id).values(begun_at=None))


def _is_wanted(run_id: str) -> sa.ColumnElement[bool]:
    return (foresights.c.run_id == run_id) & foresights.c.begun_at.is_not(None)
