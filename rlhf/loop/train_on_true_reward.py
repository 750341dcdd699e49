"""PPO on the true reward: the reference that preference learning is measured against. Uses no store."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from rlhf.errors import TaskError
from rlhf.experience.rollout import Collected, Collector
from rlhf.experience.vector import VectorStepper
from rlhf.loop.baseline import measure_baseline
from rlhf.loop.config import RunConfig
from rlhf.loop.device import choose_device
from rlhf.loop.processes import num_processes
from rlhf.loop.report import Progress, Stopwatch, evaluate_acting
from rlhf.parallel import peak_rss_mb
from rlhf.policy.ppo import PPO
from rlhf.seeding import generator
from rlhf.types.task import Task

_CURVE_POINTS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrueRewardTurn:
    """One rollout and the update that followed."""

    policy: PPO
    """The policy that learns, always the same object."""
    collected: Collected
    experience_s: float
    """Wall time of the rollout."""
    policy_s: float
    """Wall time of the update."""


def learn_true_reward(task: Task, config: RunConfig, seed: int) -> Iterator[TrueRewardTurn]:
    """Train a policy from scratch on the environment's own reward, turn by turn, for the run's steps."""
    processes = num_processes(config)
    stepper = VectorStepper(task, config.collect.num_envs, seed, stagger=True, processes=processes)
    collector, act = Collector(stepper), generator(seed, "act")
    rng = generator(seed, "policy")
    device = choose_device(config.device, config.ppo.hidden)
    policy = PPO(
        config.ppo, stepper.observation_dim, stepper.action_space, rng, processes=processes, device=device
    )
    steps, total = 0, config.schedule.total_steps
    try:
        while steps < total:
            watch = Stopwatch()
            collected = collector.collect(policy, config.ppo.num_steps, act)
            experience_s = watch.elapsed()
            rewards = collected.rollout_true_rewards.astype(np.float32)
            policy.update(collected.rollout, rewards, np.zeros_like(rewards), progress=steps / total)
            steps += collected.rollout.num_steps
            yield TrueRewardTurn(
                policy=policy,
                collected=collected,
                experience_s=experience_s,
                policy_s=watch.elapsed() - experience_s,
            )
    finally:
        stepper.close()
        policy.close()


def train_on_true_reward(task: Task, config: RunConfig, seed: int, progress: Progress) -> dict[str, Any]:
    """Train a policy from scratch on the environment's own reward and report it.

    Raises:
        TaskError: the task has no true reward.
    """
    if not task.has_true_reward:
        raise TaskError(f"task {task.name!r} has no true reward to train on; use preferences instead.")
    watch = Stopwatch()
    seconds = {"experience": 0.0, "policy": 0.0}
    steps, total = 0, config.schedule.total_steps
    curve: list[dict[str, Any]] = []
    recent: list[float] = []
    peak_mb = 0.0
    for turn in learn_true_reward(task, config, seed):
        collected, policy = turn.collected, turn.policy
        seconds["experience"] += turn.experience_s
        seconds["policy"] += turn.policy_s
        steps += collected.rollout.num_steps
        whole = [e.terminated or e.num_steps == task.horizon for e in collected.episodes]
        recent += [float(r.sum()) for r, ok in zip(collected.true_rewards, whole, strict=True) if ok]
        if recent and steps >= (len(curve) + 1) * total / _CURVE_POINTS:
            curve.append({"steps": steps, "labels": 0, "true_return": float(np.mean(recent))})
            progress(steps, total, f"true return {np.mean(recent):.0f}")
            peak_mb = peak_rss_mb()
            recent = []
    report = watch.summary(task, seed, steps, seconds, max(peak_mb, peak_rss_mb()))
    return report | {
        "random_return": measure_baseline(task, seed)["random_return"],
        "true_return": evaluate_acting(task, policy, seed, policy.version),
        "curve": curve,
    }
