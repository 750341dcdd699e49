"""Maps of behaviour, one a run, and what goes into them."""

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.storage.runs import get_run
from rlhf.storage.schema import behaviour_maps, demonstrations, policy_versions, segments


def get_map(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return the row of a run's map, or None where none was begun."""
    query = sa.select(behaviour_maps).where(behaviour_maps.c.run_id == run_id)
    return connection.execute(query).mappings().first()


def save_map(
    connection: sa.Connection,
    run_id: str,
    *,
    arrays: str | None,
    draft: str | None,
    num_done: int,
    num_segments: int,
    shows: Mapping[str, int],
) -> set[str]:
    """Replace a run's map and return the blobs that nothing refers to any more."""
    before = get_map(connection, run_id)
    connection.execute(behaviour_maps.delete().where(behaviour_maps.c.run_id == run_id))
    connection.execute(
        behaviour_maps.insert().values(
            run_id=run_id,
            arrays=arrays,
            draft=draft,
            num_done=num_done,
            num_segments=num_segments,
            shows=dict(shows),
            updated_at=time.time(),
        )
    )
    old = set() if before is None else {before["arrays"], before["draft"]}
    return old - {None, arrays, draft}


def list_sources(
    connection: sa.Connection, run_id: str, *, least_steps: int, limit: int
) -> list[sa.RowMapping]:
    """Return a run's newest segments, those of episodes and of questions, the newest first.

    Demonstrations that stop before ``least_steps`` without having ended are left out: no window fits in.

    Returns:
        Rows of ``id``, ``arrays`` and ``demonstration``, its id or null.
    """
    is_usable = (
        demonstrations.c.id.is_(None)
        | demonstrations.c.terminated
        | (demonstrations.c.num_steps >= least_steps)
    )
    query = (
        sa.select(segments.c.id, segments.c.arrays, demonstrations.c.id.label("demonstration"))
        .outerjoin(demonstrations, demonstrations.c.segment_id == segments.c.id)
        .where(segments.c.run_id == run_id, is_usable)
        .order_by(segments.c.created_at.desc())
        .limit(limit)
    )
    return list(connection.execute(query).mappings())


def what_there_is(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """Return what a map of now would show, in numbers that are quickly read: another one is out of date.

    Raises:
        NotFoundError: there is no such run.
    """
    run = get_run(connection, run_id)
    recorded = sa.select(sa.func.count()).where(
        policy_versions.c.run_id == run_id, policy_versions.c.replay_id.is_not(None)
    )
    shown = sa.select(sa.func.count()).where(demonstrations.c.run_id == run_id)
    return {
        "reward_version": run["reward_version"],
        "answers": sum(run[f"num_{name}"] for name in ("left", "right", "equal", "skip", "late")),
        "replays": connection.scalar(recorded) or 0,
        "demonstrations": connection.scalar(shown) or 0,
    }
