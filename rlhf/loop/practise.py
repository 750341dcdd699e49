"""Candidates -> who learns a task best: all practise shortly, and the better half goes on to more.

The first candidate stays to the end, so that the last word is a comparison with it at the full budget: let it
be whoever should win where the others prove nothing, such as a policy from scratch.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.errors import ConfigError
from rlhf.loop.config import RunConfig
from rlhf.loop.order_ranking import RankConfig
from rlhf.loop.report import Progress
from rlhf.loop.short_arm import short_arm
from rlhf.policy.transfer import Arrays
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.storage import models
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.tuning import SHARES, TransferTuner
from rlhf.types.task import Task

_LEAST_ROLLOUTS = 4
"""However short the practice: before the first update ways of learning all do the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody who practises."""

    name: str
    """For people who wait."""
    config: RunConfig
    """How it learns."""
    policy: Arrays | None
    """A saved policy to start from; None starts from scratch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Practised:
    """How that went."""

    short_arm: float | None
    """Mean reward per step at the end of the practice, over the seeds; None if it was given up early."""
    share: float
    """Of the budget that it got."""


def practise(
    candidates: Sequence[Candidate],
    task: Task,
    reward: RewardModel | None,
    config: RankConfig,
    *,
    seed: int,
    progress: Progress,
) -> list[Practised]:
    """Let candidates race over paired seeds and return how each did.

    Args:
        candidates: the first one stays to the end.
        task: what is practised.
        reward: learned for it; None: its own.
        config: steps and seeds. Four rollouts are made at least.
        seed: of the practice.
        progress: hears how far it is; candidates that are given up leave it short of its end.
    """
    in_all, tried = practices(len(candidates), config), 0
    share_of = [0.0] * len(candidates)

    def loss(index: int, arm: int, share: float) -> float:
        nonlocal tried
        one, said = candidates[index], tried
        tried += 1
        share_of[index] = share
        rollout = one.config.collect.num_envs * one.config.ppo.num_steps
        steps = max(round(share * config.short_steps), _LEAST_ROLLOUTS * rollout)
        text = f"{one.name}, {share:.0%} of the practice"
        return -short_arm(
            task, one.config, arm, steps, one.policy, reward, tick=lambda: progress(said, in_all, text)
        )

    arms = [int(generator(seed, "short arm", arm).integers(2**31)) for arm in range(config.seeds)]
    tuned = TransferTuner(choices=tuple(range(len(candidates)))).by_race(loss, arms)
    return [
        Practised(short_arm=-score.loss if np.isfinite(score.loss) else None, share=share)
        for score, share in zip(tuned.scores, share_of, strict=True)
    ]


def practices(num_candidates: int, config: RankConfig) -> int:
    """Return how often somebody practises at most."""
    return num_candidates * config.seeds * len(SHARES)


def judge_of(
    engine: sa.Engine, blobs: Blobs, task: Task, reward_from: tuple[str, int] | None
) -> RewardModel | None:
    """Return the learned reward that practice follows; None: the task's own.

    Raises:
        NotFoundError: it is not there.
        ConfigError: none is named, and the task has none.
    """
    if reward_from is not None:
        with reading(engine) as connection:
            stored = models.get_reward_version(connection, *reward_from)["arrays"]
        return RewardModel.from_arrays(blobs.read_arrays(stored)[0])
    if not task.has_true_reward:
        raise ConfigError(f"task {task.name!r} has no true reward to practise with; name a learned one.")
    return None
