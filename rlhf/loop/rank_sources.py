"""Saved policies -> which of them to start a task from. What is measured by a true reward is for people."""

import dataclasses

import numpy as np
import sqlalchemy as sa

from rlhf.experience.rollout import play_episodes
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.order_ranking import RankConfig
from rlhf.loop.practise import Candidate, judge_of, practices, practise
from rlhf.loop.report import Progress, acts_by_mean
from rlhf.loop.tune_start import tune_start
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.policy.transfer import Arrays
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.ranked_source import RankedSource
from rlhf.types.task import Task


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
    """Return the saved policies that fit a task, the most promising first; or ways to start from one of them.

    Ways where ``config.ways_of`` names one, see ``tune_start``; what follows is of policies.

    A policy fits if observations, actions and hidden layers are of the target's sizes. Of each run the newest
    saved policy is a candidate. Practice, where there is any, decides the order, and scratch takes part in
    it and comes first unless another is clearly better; else the learned reward does, else the true one.

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
    if config.ways_of:
        return tune_start(
            engine, blobs, target, config, seed=seed, progress=progress, reward_from=reward_from
        )
    task = get_task(target)
    settings = resolve(task, {})
    reward = judge_of(engine, blobs, task, reward_from) if reward_from or config.short_steps else None
    found = _candidates(engine, blobs, task, settings, config.limit)
    arms = practices(len(found) + 1, config, settings) if config.short_steps else 0
    ranked = []
    for done, (source, arrays) in enumerate(found):
        progress(done, len(found) + arms, f"{source.task}, run {source.run_id}, as it is")
        ranked.append(_zero_shot(source, arrays, task, reward, config.episodes, seed))
    if config.short_steps:
        scratch = RankedSource(
            run_id=None,
            version=0,
            task=task.name,
            num_parameters=ranked[0].num_parameters if ranked else 0,
        )
        candidates = [
            Candidate(name=f"run {source.run_id}", config=settings, policy=arrays) for source, arrays in found
        ]
        practised = practise(
            [Candidate(name="scratch", config=settings, policy=None), *candidates],
            task,
            reward,
            config,
            seed=seed,
            progress=lambda done, _, text: progress(len(found) + done, len(found) + arms, text),
        )
        ranked = [
            dataclasses.replace(source, **dataclasses.asdict(one))
            for source, one in zip([scratch, *ranked], practised, strict=True)
        ]
    return sorted(ranked, key=RankedSource.promise, reverse=True)


def _candidates(
    engine: sa.Engine, blobs: Blobs, task: Task, settings: RunConfig, limit: int
) -> list[tuple[RankedSource, Arrays]]:
    """Return the newest policy of every run that fits the task, with its arrays, the newest runs first."""
    dim, space = spaces_of(task)
    widths = (dim, *settings.ppo.hidden, space.size)
    found: list[tuple[RankedSource, Arrays]] = []
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
            )
            found.append((source, arrays))
    return found


def _zero_shot(
    source: RankedSource, arrays: Arrays, task: Task, reward: RewardModel | None, episodes: int, seed: int
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


def _widths(policy: Arrays) -> tuple[int, ...]:
    layers = sum(name.startswith("weight_") for name in policy)
    shapes = [policy[f"weight_{layer}"].shape for layer in range(layers)]
    return (*(int(rows) for rows, _ in shapes), int(shapes[-1][1]))


def _size(policy: Arrays) -> int:
    return sum(
        array.size for name, array in policy.items() if name.startswith(("weight_", "bias_", "log_std"))
    )
