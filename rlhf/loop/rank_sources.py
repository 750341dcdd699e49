"""Saved policies -> which of them to start a task from. What is measured by a true reward is for people."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from rlhf.errors import ConfigError
from rlhf.experience.rollout import play_episodes
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.order_ranking import RankConfig
from rlhf.loop.report import Progress, acts_by_mean
from rlhf.loop.short_arm import short_arm
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.tuning import SHARES, TransferTuner
from rlhf.types.ranked_source import RankedSource
from rlhf.types.task import Task

_Arrays = Mapping[str, npt.NDArray[Any]]


def rank_sources(
    engine: sa.Engine,
    blobs: Blobs,
    target: str,
    config: RankConfig,
    *,
    seed: int,
    progress: Progress,
    reward_from: tuple[str, int] | None = None,
) -> list[RankedSource]:
    """Return the saved policies that fit a task, the most promising first.

    A policy fits if observations, actions and hidden layers are of the target's sizes. Of each run the newest
    saved policy is a candidate. Practice, where there is any, decides the order, and scratch takes part in
    it; else the learned reward does, else the true one.

    Args:
        engine: of the store.
        blobs: of the store.
        target: name of the task.
        config: how they are compared.
        seed: of episodes and practice; not that of a later run, which would be judged by what chose it.
        progress: hears how far it is.
        reward_from: run and version of a reward that was learned for the target.

    Raises:
        TaskError, NotFoundError: there is no such task or reward.
        ConfigError: practice needs a reward, and the target has neither.
    """
    task = get_task(target)
    settings = resolve(task, {})
    reward = None if reward_from is None else _load_reward(engine, blobs, *reward_from)
    if config.short_steps and reward is None and not task.has_true_reward:
        raise ConfigError(f"task {target!r} has no true reward to practise with; name a learned one.")
    found = _candidates(engine, blobs, task, settings, config.limit)
    arms = (len(found) + 1) * config.seeds * len(SHARES) if config.short_steps else 0
    ranked = []
    for done, (source, arrays) in enumerate(found):
        progress(done, len(found) + arms, f"{source.task}, run {source.run_id}, as it is")
        ranked.append(_zero_shot(source, arrays, task, reward, config.episodes, seed))
    if config.short_steps:
        ranked = _practise(
            ranked, [arrays for _, arrays in found], task, settings, reward, config, seed, progress
        )
    return sorted(ranked, key=_promise, reverse=True)


def _candidates(
    engine: sa.Engine, blobs: Blobs, task: Task, settings: RunConfig, limit: int
) -> list[tuple[RankedSource, _Arrays]]:
    """Return the newest policy of every run that fits the task, with its arrays, the newest runs first."""
    dim, space = spaces_of(task)
    widths = (dim, *settings.ppo.hidden, space.size)
    found: list[tuple[RankedSource, _Arrays]] = []
    with reading(engine) as connection:
        for run in runs.list_runs(connection):
            saved = models.list_policy_versions(connection, run["id"])
            if not saved or len(found) == limit:
                continue
            arrays, _ = blobs.read_arrays(saved[-1]["arrays"])
            if _widths(arrays) != widths or ("log_std" in arrays) != (space.kind == "continuous"):
                continue
            returns = (saved[-1]["evaluation"] or {}).get("true_returns") or []
            source = RankedSource(
                run_id=run["id"],
                version=saved[-1]["version"],
                task=run["task"],
                num_parameters=_size(arrays),
                own_return=float(np.mean(returns)) if returns else None,
                predicted_return=None,
                zero_shot_return=None,
                short_arm=None,
                share=0.0,
            )
            found.append((source, arrays))
    return found


def _zero_shot(
    source: RankedSource, arrays: _Arrays, task: Task, reward: RewardModel | None, episodes: int, seed: int
) -> RankedSource:
    space = spaces_of(task)[1]
    policy = PolicySnapshot.from_arrays(dict(arrays), space)
    played, paid = play_episodes(
        task,
        policy,
        episodes,
        seed=int(generator(seed, "zero-shot").integers(2**31)),
        deterministic=acts_by_mean(space),
    )
    predicted = [predicted_return(reward, one, task, space) for one in played] if reward else []
    return dataclasses.replace(
        source,
        predicted_return=float(np.mean(predicted)) if predicted else None,
        zero_shot_return=float(np.mean([one.sum() for one in paid])) if task.has_true_reward else None,
    )


def _practise(
    ranked: Sequence[RankedSource],
    arrays: Sequence[_Arrays],
    task: Task,
    settings: RunConfig,
    reward: RewardModel | None,
    config: RankConfig,
    seed: int,
    progress: Progress,
) -> list[RankedSource]:
    """Return the candidates and scratch after a race in which the better half goes on to more practice."""
    policies: list[_Arrays | None] = [None, *arrays]
    share_of = [0.0] * len(policies)
    # All that could practise: those that are given up early leave the bar short of its end.
    in_all, tried = len(ranked) + len(policies) * config.seeds * len(SHARES), len(ranked)

    def loss(index: int, arm: int, share: float) -> float:
        nonlocal tried
        who = f"run {ranked[index - 1].run_id}" if index else "scratch"
        said = tried, in_all, f"{who}, {share:.0%} of the practice"
        tried += 1
        share_of[index] = share
        steps = round(share * config.short_steps)
        return -short_arm(task, settings, arm, steps, policies[index], reward, tick=lambda: progress(*said))

    arms = [int(generator(seed, "short arm", arm).integers(2**31)) for arm in range(config.seeds)]
    tuned = TransferTuner(choices=tuple(range(len(policies)))).by_race(loss, arms)
    scratch = RankedSource(
        run_id=None,
        version=0,
        task=task.name,
        num_parameters=_size(arrays[0]) if arrays else 0,
        own_return=None,
        predicted_return=None,
        zero_shot_return=None,
        short_arm=None,
        share=0.0,
    )
    return [
        dataclasses.replace(
            source, short_arm=-score.loss if np.isfinite(score.loss) else None, share=share_of[index]
        )
        for index, (source, score) in enumerate(zip([scratch, *ranked], tuned.scores, strict=True))
    ]


def _promise(source: RankedSource) -> tuple[float, ...]:
    known = (source.short_arm, source.share, source.predicted_return, source.zero_shot_return)
    return tuple(-np.inf if value is None else value for value in known)


def _load_reward(engine: sa.Engine, blobs: Blobs, run_id: str, version: int) -> RewardModel:
    with reading(engine) as connection:
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
    return RewardModel.from_arrays(blobs.read_arrays(stored)[0])


def _widths(policy: _Arrays) -> tuple[int, ...]:
    layers = sum(name.startswith("weight_") for name in policy)
    shapes = [policy[f"weight_{layer}"].shape for layer in range(layers)]
    return (*(int(rows) for rows, _ in shapes), int(shapes[-1][1]))


def _size(policy: _Arrays) -> int:
    return sum(
        array.size for name, array in policy.items() if name.startswith(("weight_", "bias_", "log_std"))
    )
