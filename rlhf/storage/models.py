"""Versions of reward model and policy, and the checkpoints that a run goes on from."""

import time
import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import checkpoints, policy_versions, replays, reward_versions, segments
from rlhf.storage.segments import CLIP


def insert_reward_version(
    connection: sa.Connection,
    run_id: str,
    version: int,
    *,
    arrays: str,
    num_answers: int,
    steps: int,
    report: dict[str, Any],
) -> None:
    """Add a reward model; a run resumed from before it overwrites its own earlier attempt."""
    key = (reward_versions.c.run_id == run_id) & (reward_versions.c.version == version)
    connection.execute(reward_versions.delete().where(key))
    connection.execute(
        reward_versions.insert().values(
            run_id=run_id,
            version=version,
            arrays=arrays,
            num_answers=num_answers,
            steps=steps,
            report=report,
            created_at=time.time(),
        )
    )


def list_reward_versions(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return a run's reward models, the oldest first."""
    query = sa.select(reward_versions).where(reward_versions.c.run_id == run_id)
    return list(connection.execute(query.order_by(reward_versions.c.version)).mappings())


def get_reward_version(connection: sa.Connection, run_id: str, version: int) -> sa.RowMapping:
    """Return one reward model's row.

    Raises:
        NotFoundError: there is no such version.
    """
    key = (reward_versions.c.run_id == run_id) & (reward_versions.c.version == version)
    row = connection.execute(sa.select(reward_versions).where(key)).mappings().first()
    if row is None:
        raise NotFoundError(f"run {run_id} has no reward model of version {version}.")
    return row


def insert_policy_version(
    connection: sa.Connection,
    run_id: str,
    version: int,
    *,
    arrays: str,
    steps: int,
    reward_version: int,
    num_answers: int,
) -> None:
    """Add a policy to watch; a run resumed from before it overwrites its own earlier attempt."""
    key = (policy_versions.c.run_id == run_id) & (policy_versions.c.version == version)
    connection.execute(policy_versions.delete().where(key))
    _forget_replays(connection, run_id, [version])
    connection.execute(
        policy_versions.insert().values(
            run_id=run_id,
            version=version,
            arrays=arrays,
            steps=steps,
            reward_version=reward_version,
            num_answers=num_answers,
            created_at=time.time(),
        )
    )


def set_evaluation(
    connection: sa.Connection, run_id: str, version: int, *, replay_id: str, evaluation: dict[str, Any]
) -> None:
    """Record how a policy did and an episode of it to watch."""
    key = (policy_versions.c.run_id == run_id) & (policy_versions.c.version == version)
    connection.execute(policy_versions.update().where(key).values(replay_id=replay_id, evaluation=evaluation))


def get_policy_version(connection: sa.Connection, run_id: str, version: int) -> sa.RowMapping:
    """Return one policy's row.

    Raises:
        NotFoundError: there is no such version.
    """
    key = (policy_versions.c.run_id == run_id) & (policy_versions.c.version == version)
    row = connection.execute(sa.select(policy_versions).where(key)).mappings().first()
    if row is None:
        raise NotFoundError(f"run {run_id} has no saved policy of version {version}.")
    return row


def list_policy_versions(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return a run's saved policies, the oldest first."""
    query = sa.select(policy_versions).where(policy_versions.c.run_id == run_id)
    return list(connection.execute(query.order_by(policy_versions.c.version)).mappings())


def insert_checkpoint(
    connection: sa.Connection, run_id: str, *, arrays: str, steps: int, keep: int
) -> list[str]:
    """Add a checkpoint, forget all but the newest ``keep``, and return the blobs no longer referred to."""
    connection.execute(
        checkpoints.insert().values(run_id=run_id, arrays=arrays, steps=steps, created_at=time.time())
    )
    rows = list_checkpoints(connection, run_id)
    old, kept = rows[keep:], {row["arrays"] for row in rows[:keep]}
    connection.execute(checkpoints.delete().where(checkpoints.c.id.in_([row["id"] for row in old])))
    return [row["arrays"] for row in old if row["arrays"] not in kept]


def list_checkpoints(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return a run's checkpoints, the newest first."""
    query = sa.select(checkpoints).where(checkpoints.c.run_id == run_id).order_by(checkpoints.c.id.desc())
    return list(connection.execute(query).mappings())


def count_policy_versions(connection: sa.Connection, run_id: str) -> int:
    """Return how many policies of a run are saved."""
    query = sa.select(sa.func.count()).where(policy_versions.c.run_id == run_id)
    return int(connection.scalar(query.select_from(policy_versions)) or 0)


def latest_reward_report(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """Return what the newest reward version says of itself; empty when there is none."""
    query = sa.select(reward_versions.c.report).where(reward_versions.c.run_id == run_id)
    report = connection.scalar(query.order_by(reward_versions.c.version.desc()).limit(1))
    return {} if report is None else dict(report)


def list_policies_with_clips(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return a run's saved policies with the ``CLIP`` columns of their replays, the oldest first."""
    query = (
        sa.select(policy_versions, *CLIP)
        .outerjoin(segments, segments.c.id == policy_versions.c.replay_id)
        .where(policy_versions.c.run_id == run_id)
        .order_by(policy_versions.c.version)
    )
    return list(connection.execute(query).mappings())


def is_replay(connection: sa.Connection, run_id: str, segment_id: str) -> bool:
    """Whether a segment is the recorded episode of one of the run's policies, and no part of a question."""
    usual = (policy_versions.c.run_id == run_id) & (policy_versions.c.replay_id == segment_id)
    other = (replays.c.run_id == run_id) & (replays.c.segment_id == segment_id)
    return bool(connection.scalar(sa.select(sa.exists().where(usual) | sa.exists().where(other))))


def drop_versions_after(connection: sa.Connection, run_id: str, steps: int) -> None:
    """Forget reward models and policies of a stretch that is about to be run again from a checkpoint."""
    of_stretch = (policy_versions.c.run_id == run_id) & (policy_versions.c.steps > steps)
    stretch = connection.scalars(sa.select(policy_versions.c.version).where(of_stretch)).all()
    _forget_replays(connection, run_id, stretch)
    for table in (reward_versions, policy_versions):
        connection.execute(table.delete().where(table.c.run_id == run_id, table.c.steps > steps))


def find_replay(
    connection: sa.Connection, run_id: str, policy_version: int, reset_seed: int
) -> sa.RowMapping | None:
    """Return what was asked for of a saved policy from a start of choice, with its ``CLIP`` columns."""
    query = (
        sa.select(replays, *CLIP)
        .outerjoin(segments, segments.c.id == replays.c.segment_id)
        .where(
            replays.c.run_id == run_id,
            replays.c.policy_version == policy_version,
            replays.c.reset_seed == reset_seed,
        )
    )
    return connection.execute(query).mappings().first()


def get_replay(connection: sa.Connection, replay_id: str) -> sa.RowMapping | None:
    """Return the row of such an episode, or None if its policy is no more."""
    return connection.execute(sa.select(replays).where(replays.c.id == replay_id)).mappings().first()


def insert_replay(connection: sa.Connection, run_id: str, policy_version: int, reset_seed: int) -> str:
    """Add an episode that has yet to be recorded; return its id."""
    replay_id = uuid.uuid4().hex
    connection.execute(
        replays.insert().values(
            id=replay_id, run_id=run_id, policy_version=policy_version, reset_seed=reset_seed
        )
    )
    return replay_id


def set_replay(connection: sa.Connection, replay_id: str, segment_id: str) -> None:
    """Record which segment the episode is."""
    connection.execute(replays.update().where(replays.c.id == replay_id).values(segment_id=segment_id))


def _forget_replays(connection: sa.Connection, run_id: str, versions: Collection[int]) -> None:
    of_versions = (replays.c.run_id == run_id) & replays.c.policy_version.in_(versions)
    connection.execute(replays.delete().where(of_versions))
