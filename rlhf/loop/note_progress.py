"""Progress of a job -> the store, and back from it whether anybody still wants it."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from rlhf.errors import JobStoppedError
from rlhf.loop.report import Progress
from rlhf.storage.engine import writing

_SAY_S = 0.5
"""Seconds between two notes, each of which also hears whether the job is still wanted."""


def progress_noted(
    engine: sa.Engine,
    note: Callable[[sa.Connection, int, int, str], bool],
    check: Callable[[], None],
    *,
    what: str,
) -> Progress:
    """Return what a job calls with how far it is; it ends the job by ``JobStoppedError``.

    Args:
        engine: of the store.
        note: writes how far it is, ``(connection, done, in_all, text)``; returns whether it is wanted.
        check: called each time; ends the work by raising.
        what: the job, for the error's text.
    """
    said_at = -_SAY_S

    def progress(done: int, in_all: int, text: str) -> None:
        nonlocal said_at
        check()
        if time.monotonic() - said_at < _SAY_S:
            return
        said_at = time.monotonic()
        with writing(engine) as connection:
            if not note(connection, done, in_all, text):
                raise JobStoppedError(f"{what} was stopped.")

    return progress
