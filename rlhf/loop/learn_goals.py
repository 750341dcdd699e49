"""Goals -> policy: Q-learning with hindsight in an environment where each episode has a goal of its own.

Uses no store and no preferences: a goal says itself whether it is reached.
"""

import dataclasses
import time
from typing import Any

import numpy as np

from rlhf.experience.goal_rollout import collect_goal_episodes
from rlhf.experience.goal_tasks import GoalTask, make_goal_envs
from rlhf.loop.report import Progress
from rlhf.parallel import peak_rss_mb
from rlhf.policy.hindsight import HindsightConfig, HindsightReplay
from rlhf.policy.q_learning import QConfig, QLearner
from rlhf.seeding import generator
from rlhf.types.experience import Int64
from rlhf.types.goals import GoalEnvs, GoalEpisodes

CURVE_POINTS = 20
_CURVE_EPISODES = 96
_FINAL_EPISODES = 400


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalConfig:
    """A training run towards goals."""

    total_steps: int = 100_000
    """Environment steps to learn from, at least; the last round of episodes is finished."""
    num_envs: int = 16
    """Episodes collected together, between updates. 1 to 64."""
    updates_per_step: float = 0.25
    """Gradient steps per environment step. More: better use of what was seen, slower. .05 to 1."""
    first_epsilon: float = 0.2
    """Share of random actions at the start; it falls linearly."""
    last_epsilon: float = 0.02
    """Share of random actions at the end."""
    q: QConfig = dataclasses.field(default_factory=QConfig)
    hindsight: HindsightConfig = dataclasses.field(default_factory=HindsightConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.total_steps < 1 or self.num_envs < 1 or self.updates_per_step <= 0:
            raise ValueError(
                f"total_steps is {self.total_steps}, num_envs {self.num_envs} and updates_per_step "
                f"{self.updates_per_step}; they must be >= 1, >= 1 and > 0."
            )
        if not 0 <= self.last_epsilon <= self.first_epsilon <= 1:
            raise ValueError(
                f"first_epsilon is {self.first_epsilon} and last_epsilon {self.last_epsilon}; they must be "
                "in [0, 1], the last one not above the first."
            )


def learn_goals(
    task: GoalTask, config: GoalConfig, seed: int, progress: Progress
) -> tuple[QLearner, dict[str, Any]]:
    """Train from scratch; return the learner and what there is to report.

    Success is measured without exploration, on episodes that are not learned from.

    Raises:
        TaskError: the task's environment cannot be used.
    """
    started = time.perf_counter()
    envs = make_goal_envs(task, config.num_envs)
    learner = QLearner(config.q, envs.space, generator(seed, "q"))
    replay = HindsightReplay(config.hindsight, envs.space, envs.horizon, envs.reached)
    act, seeds, draw = generator(seed, "act"), generator(seed, "episodes"), generator(seed, "replay")
    random_success = measure_success(envs, learner, _CURVE_EPISODES, seed, epsilon=1.0)
    episodes = steps = 0
    due = 0.0
    curve: list[dict[str, Any]] = []
    try:
        while steps < config.total_steps:
            share = steps / config.total_steps
            epsilon = config.first_epsilon + share * (config.last_epsilon - config.first_epsilon)
            collected = _collect(envs, learner, _draw_seeds(seeds, envs.num_envs), act, epsilon)
            replay.add(collected)
            episodes += envs.num_envs
            steps += collected.num_steps
            due += collected.num_steps * config.updates_per_step
            while due >= 1.0:
                learner.update(replay.sample(config.q.batch_size, draw))
                due -= 1.0
            if steps * CURVE_POINTS >= (len(curve) + 1) * config.total_steps:
                success = measure_success(envs, learner, _CURVE_EPISODES, seed)
                curve.append({"episodes": episodes, "steps": steps, "success": success})
                progress(steps, config.total_steps, f"{success:.0%} of goals reached")
        final = measure_success(envs, learner, _FINAL_EPISODES, seed)
    finally:
        envs.close()
    return learner, {
        "task": task.name,
        "seed": seed,
        "episodes": episodes,
        "steps": steps,
        "wall_s": time.perf_counter() - started,
        "random_success": random_success,
        "success": final,
        "curve": curve,
        "peak_rss_mb": peak_rss_mb(),
    }


def measure_success(
    envs: GoalEnvs, learner: QLearner, num_episodes: int, seed: int, epsilon: float = 0.0
) -> float:
    """Return the share of goals reached in at least ``num_episodes``, the same ones for equal seeds.

    Args:
        envs: to act in.
        learner: acts.
        num_episodes: rounded up to whole rounds of ``envs``.
        seed: of the run; these episodes have seeds of their own.
        epsilon: share of random actions; 1 measures chance.
    """
    seeds, act = generator(seed, "evaluation"), generator(seed, "evaluation", "act")
    rounds = -(-num_episodes // envs.num_envs)
    reached = [
        _collect(envs, learner, _draw_seeds(seeds, envs.num_envs), act, epsilon).reached
        for _ in range(rounds)
    ]
    return float(np.concatenate(reached).mean())


def _collect(
    envs: GoalEnvs, learner: QLearner, seeds: Int64, rng: np.random.Generator, epsilon: float
) -> GoalEpisodes:
    return collect_goal_episodes(envs, lambda seen, goals: learner.act(seen, goals, rng, epsilon), seeds)


def _draw_seeds(rng: np.random.Generator, count: int) -> Int64:
    return rng.integers(2**31, size=count)
