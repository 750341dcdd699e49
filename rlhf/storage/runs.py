"""Runs: what somebody wants of them and where they stand; their measurements and events."""

import math
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rlhf.errors import JobError, NotFoundError
from rlhf.storage.schema import events, measurements, runs
from rlhf.types.run import RunState

RunRow = sa.RowMapping


def insert_run(
    connection: sa.Connection,
    *,
    task: str,
    goal: str,
    seed: int,
    teacher: str | None,
    overrides: dict[str, Any],
    total_steps: int,
) -> str:
    """Add a run in state CREATED and return its id."""
    stem = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:40]
    run_id = f"{stem}-{secrets.token_hex(3)}"
    now = time.time()
    connection.execute(
        runs.insert().values(
            id=run_id,
            task=task,
            goal=goal,
            seed=seed,
            teacher=teacher,
            overrides=overrides,
            wanted=RunState.PAUSED,
            state=RunState.CREATED,
            total_steps=total_steps,
            message="Not started yet.",
            created_at=now,
            updated_at=now,
        )
    )
    return run_id


def get_run(connection: sa.Connection, run_id: str) -> RunRow:
    """Return one run.

    Raises:
        NotFoundError: there is no such run.
    """
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no run {run_id!r}; `python -m rlhf run list` shows those there are.")
    return row


def list_runs(connection: sa.Connection) -> list[RunRow]:
    """Return all runs, the newest first."""
    return list(connection.execute(sa.select(runs).order_by(runs.c.created_at.desc())).mappings())


def set_wanted(connection: sa.Connection, run_id: str, wanted: RunState) -> None:
    """Record what somebody wants of a run; a worker makes it so.

    Raises:
        JobError: a finished run has no step left to run.
    """
    row = get_run(connection, run_id)
    if row["state"] is RunState.FINISHED and wanted is not RunState.STOPPED:
        raise JobError(f"run {run_id} has finished its {row['total_steps']:,} steps; start a new one.")
    connection.execute(runs.update().where(runs.c.id == run_id).values(wanted=wanted, updated_at=time.time()))


def update_run(connection: sa.Connection, run_id: str, **values: Any) -> None:
    """Set columns of a run's row."""
    connection.execute(runs.update().where(runs.c.id == run_id).values(updated_at=time.time(), **values))


def add_measurements(connection: sa.Connection, run_id: str, steps: int, values: Mapping[str, float]) -> None:
    """Add one point to each named curve; a point already there (a resumed run) is overwritten.

    A value that is not finite has no place on a curve (SQLite would store NaN as null) and is left out.
    """
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    if not values:
        return
    now = time.time()
    connection.execute(
        measurements.delete().where(
            measurements.c.run_id == run_id,
            measurements.c.steps == steps,
            measurements.c.name.in_(list(values)),
        )
    )
    connection.execute(
        measurements.insert(),
        [{"run_id": run_id, "name": k, "steps": steps, "value": v, "at": now} for k, v in values.items()],
    )


def get_curves(
    connection: sa.Connection, run_id: str, names: list[str] | None = None, *, after_steps: int = -1
) -> list[tuple[str, int, float]]:
    """Return (name, steps, value) of a run's curves in order of steps, of all names or these."""
    columns = (measurements.c.name, measurements.c.steps, measurements.c.value)
    query = sa.select(*columns).where(measurements.c.run_id == run_id, measurements.c.steps > after_steps)
    query = query.order_by(measurements.c.steps)
    if names is not None:
        query = query.where(measurements.c.name.in_(names))
    return [(name, steps, value) for name, steps, value in connection.execute(query)]


def latest_measurements(connection: sa.Connection, run_id: str, names: Sequence[str]) -> dict[str, float]:
    """Return the newest point of each named curve, those without any left out."""
    found = {}
    for name in names:
        curve = (measurements.c.run_id == run_id) & (measurements.c.name == name)
        newest = sa.select(measurements.c.value).where(curve).order_by(measurements.c.steps.desc()).limit(1)
        if (value := connection.scalar(newest)) is not None:
            found[name] = float(value)
    return found


def drop_measurements_after(connection: sa.Connection, run_id: str, steps: int) -> None:
    """Forget points of a stretch that is about to be run again from a checkpoint."""
    connection.execute(
        measurements.delete().where(measurements.c.run_id == run_id, measurements.c.steps > steps)
    )


def add_event(connection: sa.Connection, run_id: str, steps: int, kind: str, message: str) -> None:
    """Note something that happened to a run, for people to read."""
    connection.execute(
        events.insert().values(run_id=run_id, at=time.time(), steps=steps, kind=kind, message=message)
    )


def list_events(connection: sa.Connection, run_id: str, limit: int = 50) -> list[RunRow]:
    """Return the latest events, the newest first."""
    query = sa.select(events).where(events.c.run_id == run_id).order_by(events.c.id.desc()).limit(limit)
    return list(connection.execute(query).mappings())


def latest_event(connection: sa.Connection, run_id: str, kind: str) -> RunRow | None:
    """Return the newest event of a kind, or None."""
    of_kind = (events.c.run_id == run_id) & (events.c.kind == kind)
    query = sa.select(events).where(of_kind).order_by(events.c.id.desc()).limit(1)
    return connection.execute(query).mappings().first()
