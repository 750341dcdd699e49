"""Where runs come from: which other run each started from, and what it took from it."""

import time
from collections.abc import Collection

import sqlalchemy as sa

from rlhf.storage.schema import origins


def insert_origin(
    connection: sa.Connection,
    run_id: str,
    source_id: str,
    *,
    policy_version: int | None,
    policy: str | None,
    critic: str | None,
    reward_version: int | None,
    num_answers: int | None,
) -> None:
    """Record what a run takes from another; None for what it does not take.

    Args:
        connection: in a transaction.
        run_id: the run that starts.
        source_id: the run it starts from.
        policy_version: which of its policies.
        policy: blob of that policy.
        critic: blob of the critic's state.
        reward_version: which of its reward models; it has the same number in both runs.
        num_answers: rows of answers that were copied.
    """
    connection.execute(
        origins.insert().values(
            run_id=run_id,
            source_id=source_id,
            policy_version=policy_version,
            policy=policy,
            critic=critic,
            reward_version=reward_version,
            num_answers=num_answers,
            created_at=time.time(),
        )
    )


def find_origin(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return where a run comes from; None if it began on its own."""
    return connection.execute(sa.select(origins).where(origins.c.run_id == run_id)).mappings().first()


def list_origins(connection: sa.Connection) -> list[sa.RowMapping]:
    """Return where all runs come from that did not begin on their own, the oldest first."""
    return list(connection.execute(sa.select(origins).order_by(origins.c.created_at)).mappings())


def taken(origin: sa.RowMapping) -> Collection[str]:
    """Return what was taken over: some of ``policy``, ``critic``, ``reward`` and ``answers``."""
    columns = {"policy": "policy", "critic": "critic", "reward": "reward_version", "answers": "num_answers"}
    return [part for part, column in columns.items() if origin[column] is not None]
