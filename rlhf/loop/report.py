"""What a training run from the shell reports, in the keys that other programs read."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rlhf.experience.rollout import run_episodes
from rlhf.experience.tasks import spaces_of
from rlhf.seeding import generator
from rlhf.types.protocols import ActingPolicy
from rlhf.types.task import ActionSpace, Task

EVALUATION_EPISODES = 20
STAGES = ("experience", "policy", "reward", "queries", "clips")
Progress = Callable[[int, int, str], None]
"""Called as progress(steps, total_steps, text)."""


class Stopwatch:
    """Wall time of a run and of its stages."""

    def __init__(self) -> None:
        self.started = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.started

    def summary(
        self, task: Task, seed: int, steps: int, seconds: dict[str, float], peak_mb: float
    ) -> dict[str, Any]:
        """Return the keys that every training verb reports, beside the returns."""
        wall_s = self.elapsed()
        return {
            "task": task.name,
            "seed": seed,
            "steps": steps,
            "wall_s": round(wall_s, 3),
            "steps_per_second": round(steps / wall_s, 1),
            "seconds": {stage: round(seconds.get(stage, 0.0), 3) for stage in STAGES},
            "peak_rss_mb": round(peak_mb, 1),
        }


def acts_by_mean(action_space: ActionSpace) -> bool:
    """Whether a policy is judged by its mean action (continuous) rather than by sampling (discrete).

    The likeliest action of a nearly uniform policy is an arbitrary rule that can do well by chance.
    """
    return action_space.kind == "continuous"


def evaluate_acting(task: Task, policy: ActingPolicy, seed: int, version: int) -> dict[str, Any]:
    """Return ``{mean, per_episode, best_version}`` of a policy."""
    evaluation_seed = int(generator(seed, "final evaluation").integers(2**31))
    by_mean = acts_by_mean(spaces_of(task)[1])
    _, returns = run_episodes(task, policy, EVALUATION_EPISODES, evaluation_seed, deterministic=by_mean)
    return {
        "mean": float(np.mean(returns)),
        "per_episode": [float(r) for r in returns],
        "best_version": version,
    }


def finite(value: float) -> float | None:
    """Return the value, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None
