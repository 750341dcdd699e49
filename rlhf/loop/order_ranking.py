"""Ordering a comparison of sources from a page, for a worker to make. Light enough for the web process."""

import dataclasses

import sqlalchemy as sa

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import TransferConfig
from rlhf.storage import jobs, source_rankings
from rlhf.storage.engine import writing
from rlhf.types.run import JobKind, JobState


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankConfig:
    """How candidates are compared."""

    episodes: int = 5
    """Of each candidate in the target as it is; more tell small differences apart."""
    short_steps: int = 0
    """Environment steps of practice of the best candidates, but four rollouts at least; 0 lets none of them
    practise."""
    seeds: int = 2
    """Times that each practises, all candidates with the same seeds. With one, whatever looks best is
    recommended: nothing tells a gain from chance."""
    limit: int = 8
    """Candidates at most that are measured, those with the newest runs."""
    ways_of: str = ""
    """``RUN:VERSION`` of a saved policy of which ways of fine-tuning it are compared; empty: sources are."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("episodes", 1), ("short_steps", 0), ("seeds", 1), ("limit", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.ways_of and not self.short_steps:
            raise ValueError("short_steps is 0; ways of fine-tuning can only be told apart by practice.")


def order_ranking(
    engine: sa.Engine, run_id: str, target: str, config: RankConfig, *, reward_from: str = ""
) -> str:
    """Have sources for a task compared, or ways of fine-tuning one of them, and return its id.

    One that is going on already is not begun twice.

    Args:
        engine: of the store.
        run_id: on whose page it is asked for.
        target: name of the task that is to be started.
        config: how they are compared.
        reward_from: ``RUN:VERSION`` of the learned reward that judges; empty: none does.

    Raises:
        TaskError: there is no such task.
        ConfigError: the reward or the policy is not named like that.
    """
    get_task(target)
    parse_reward(reward_from)
    if config.ways_of:
        parse_version(config.ways_of)
    settings = dataclasses.asdict(config) | {"reward_from": reward_from}
    with writing(engine) as connection:
        begun = source_rankings.newest_ranking(connection, target, ways_of=config.ways_of, is_finished=False)
        if begun is not None:
            job = jobs.find(connection, JobKind.RANK, begun["id"])
            if job is not None and job["state"] in (JobState.WAITING, JobState.CLAIMED):
                return str(begun["id"])
            source_rankings.delete_ranking(connection, begun["id"])  # it failed
        ranking_id = source_rankings.insert_ranking(connection, run_id, target, settings)
        jobs.enqueue(connection, run_id, JobKind.RANK, ranking_id)
    return ranking_id


def stop_ranking(engine: sa.Engine, ranking_id: str) -> None:
    """Give a comparison up; what an earlier one found stays."""
    with writing(engine) as connection:
        source_rankings.delete_ranking(connection, ranking_id)
        jobs.withdraw(connection, JobKind.RANK, ranking_id)


def parse_reward(reward_from: str) -> tuple[str, int] | None:
    """Return run and version of a reward, ``RUN:VERSION``; None if it is empty.

    Raises:
        ConfigError: it does not look like that.
    """
    if not reward_from:
        return None
    try:
        return TransferConfig(reward_from=reward_from).source
    except ValueError as error:
        raise ConfigError(str(error)) from error


def parse_version(policy: str) -> tuple[str, int]:
    """Return run and version of a saved policy, ``RUN:VERSION``.

    Raises:
        ConfigError: it does not look like that.
    """
    run_id, _, version = policy.partition(":")
    if not run_id or not version.isascii() or not version.isdigit():
        raise ConfigError(f"the policy is named {policy!r}; give RUN:VERSION, such as cartpole-1a2b3c:12.")
    return run_id, int(version)
