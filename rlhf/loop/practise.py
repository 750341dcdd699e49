"""Candidates -> whom to start a task with: all practise shortly, and the better half goes on to more.

The first candidate stays to the end and is recommended unless another is clearly better: let it be whoever
should win where the others prove nothing, such as a policy from scratch.
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
from rlhf.tuning import TransferTuner
from rlhf.types.task import Task

_SHARES = (0.1, 0.3, 1.0)
"""Of the practice, in the rounds of a race."""
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
    steps: int
    """Environment steps that it practised for, with each seed."""
    is_recommended: bool
    """Of one candidate: the first, unless another is better by more than chance would have it."""


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
        candidates: at least one; the first one stays to the end. Rollouts of all are of one size.
        task: what is practised.
        reward: learned for it; None: its own.
        config: steps and seeds. Whole rollouts are made, see ``rounds_of``.
        seed: of the practice.
        progress: hears how far it is; candidates that are given up leave it short of its end.
    """
    rounds, tried = rounds_of(candidates[0].config, config.short_steps), 0
    in_all = practices(len(candidates), config, candidates[0].config)
    steps_of = [0] * len(candidates)

    def loss(index: int, arm: int, steps: int) -> float:
        nonlocal tried
        one, said = candidates[index], tried
        tried += 1
        steps_of[index] = steps
        text = f"{one.name}, {steps:,} steps of practice"
        return -short_arm(
            task, one.config, arm, steps, one.policy, reward, tick=lambda: progress(said, in_all, text)
        )

    arms = [int(generator(seed, "short arm", arm).integers(2**31)) for arm in range(config.seeds)]
    tuned = TransferTuner(choices=tuple(range(len(candidates)))).by_race(loss, arms, rounds)
    return [
        Practised(
            short_arm=-score.loss if np.isfinite(score.loss) else None,
            steps=steps,
            is_recommended=index == tuned.index,
        )
        for index, (score, steps) in enumerate(zip(tuned.scores, steps_of, strict=True))
    ]


def rounds_of(config: RunConfig, short_steps: int) -> tuple[int, ...]:
    """Return the environment steps of each round of a practice, whole rollouts, four at least.

    A share of a short practice may be less than that: there are as many rounds as differ.
    """
    rollout = config.collect.num_envs * config.ppo.num_steps
    rollouts = (max(round(share * short_steps) // rollout, _LEAST_ROLLOUTS) for share in _SHARES)
    return tuple(number * rollout for number in dict.fromkeys(rollouts))


def practices(num_candidates: int, config: RankConfig, settings: RunConfig) -> int:
    """Return how often somebody practises at most.

    Args:
        num_candidates: that take part.
        config: steps and seeds.
        settings: of the candidates.
    """
    return num_candidates * config.seeds * len(rounds_of(settings, config.short_steps))


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
