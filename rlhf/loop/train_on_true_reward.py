"""PPO on the true reward: the reference that preference learning is measured against. Uses no store."""

from typing import Any

import numpy as np

from rlhf.errors import TaskError
from rlhf.experience.rollout import Collector
from rlhf.experience.vector import VectorStepper
from rlhf.loop.collect_experience import measure_baseline
from rlhf.loop.config import RunConfig
from rlhf.loop.report import Progress, Stopwatch, evaluate_acting
from rlhf.policy.ppo import PPO
from rlhf.seeding import generator
from rlhf.types.task import Task

_CURVE_POINTS = 40


def train_on_true_reward(task: Task, config: RunConfig, seed: int, progress: Progress) -> dict[str, Any]:
    """Train a policy from scratch on the environment's own reward and report it.

    Raises:
        TaskError: the task has no true reward.
    """
    if not task.has_true_reward:
        raise TaskError(f"task {task.name!r} has no true reward to train on; use preferences instead.")
    watch = Stopwatch()
    seconds = {"experience": 0.0, "policy": 0.0}
    stepper = VectorStepper(task, config.collect.num_envs, seed, stagger=True)
    collector, act = Collector(stepper), generator(seed, "act")
    policy = PPO(config.ppo, stepper.observation_dim, stepper.action_space, generator(seed, "policy"))
    steps, total = 0, config.schedule.total_steps
    curve: list[dict[str, Any]] = []
    recent: list[float] = []
    while steps < total:
        before = watch.elapsed()
        collected = collector.collect(policy, config.ppo.num_steps, act)
        between = watch.elapsed()
        rewards = collected.rollout_true_rewards.astype(np.float32)
        policy.update(collected.rollout, rewards, np.zeros_like(rewards), progress=steps / total)
        seconds["experience"] += between - before
        seconds["policy"] += watch.elapsed() - between
        steps += collected.rollout.num_steps
        whole = [e.terminated or e.num_steps == task.horizon for e in collected.episodes]
        recent += [float(r.sum()) for r, ok in zip(collected.true_rewards, whole, strict=True) if ok]
        if recent and steps >= (len(curve) + 1) * total / _CURVE_POINTS:
            curve.append({"steps": steps, "labels": 0, "true_return": float(np.mean(recent))})
            progress(steps, total, f"true return {np.mean(recent):.0f}")
            recent = []
    stepper.close()
    report = watch.summary(task, seed, steps, seconds)
    return report | {
        "random_return": measure_baseline(task, seed)["random_return"],
        "true_return": evaluate_acting(task, policy, seed, policy.version),
        "curve": curve,
    }
