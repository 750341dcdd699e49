"""Goals -> policy: Q-learning with hindsight in an environment where each episode has a goal of its own.

Uses no store and no preferences: a goal says itself whether it is reached.
"""

import dataclasses
import time
from typing import Any, NamedTuple

from rlhf.errors import ConfigError
from rlhf.experience.goal_rollout import collect_goal_episodes
from rlhf.experience.goal_tasks import GoalTask, make_goal_envs
from rlhf.loop.measure_goals import acts_alone, draw_seeds, measure_foresight, measure_success
from rlhf.loop.report import Progress
from rlhf.parallel import peak_rss_mb
from rlhf.policy.goal_foresight import GoalForesight, GoalForesightConfig
from rlhf.policy.hindsight import HindsightConfig, HindsightReplay
from rlhf.policy.q_learning import QConfig, QLearner
from rlhf.seeding import generator
from rlhf.types.goals import GoalEnvs, GoalEpisodes

CURVE_POINTS = 20
EARLY_SHARE = 0.25
"""Share of the steps after which foresight is measured for the first time; the second time is the end."""
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
    foresight: GoalForesightConfig = dataclasses.field(default_factory=GoalForesightConfig)

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


class Learned(NamedTuple):
    """What a run towards goals gave."""

    learner: QLearner
    foresight: GoalForesight | None
    """Where ``foresight.on``."""
    report: dict[str, Any]


def learn_goals(task: GoalTask, config: GoalConfig, seed: int, progress: Progress) -> Learned:
    """Train from scratch.

    Success is measured without exploration, on episodes that are not learned from.

    Raises:
        ConfigError: foresight is on and the environment is none for it.
        TaskError: the task's environment cannot be used.
    """
    started = time.perf_counter()
    envs = make_goal_envs(task, config.num_envs)
    learner = QLearner(config.q, envs.space, generator(seed, "q"))
    replay = HindsightReplay(config.hindsight, envs.space, envs.horizon, envs.reached)
    foresight = _Foreseer(envs, learner, config, seed) if config.foresight.on else None
    act, seeds, draw = generator(seed, "act"), generator(seed, "episodes"), generator(seed, "replay")
    by_chance = generator(seed, "evaluation", "act")
    episodes = steps = 0
    due = 0.0
    curve: list[dict[str, Any]] = []
    try:
        random_success = measure_success(
            envs, lambda seen, goals: learner.act(seen, goals, by_chance, 1.0), _CURVE_EPISODES, seed
        )
        while steps < config.total_steps:
            share = steps / config.total_steps
            epsilon = config.first_epsilon + share * (config.last_epsilon - config.first_epsilon)
            collected = collect_goal_episodes(
                envs,
                lambda seen, goals: learner.act(seen, goals, act, epsilon),  # noqa: B023 -- called at once
                draw_seeds(seeds, envs.num_envs),
            )
            learner.observe(collected)
            replay.add(collected)
            episodes += envs.num_envs
            steps += collected.num_steps
            due += collected.num_steps * config.updates_per_step
            while due >= 1.0:
                learner.update(replay.sample(config.q.batch_size, draw))
                due -= 1.0
            if foresight is not None:
                foresight.learn(collected, steps)
            if steps * CURVE_POINTS >= (len(curve) + 1) * config.total_steps:
                success = measure_success(envs, acts_alone(learner), _CURVE_EPISODES, seed)
                curve.append({"episodes": episodes, "steps": steps, "success": success})
                progress(steps, config.total_steps, f"{success:.0%} of goals reached")
        final = measure_success(envs, acts_alone(learner), _FINAL_EPISODES, seed)
        measured = {} if foresight is None else {"foresight": foresight.measure(steps)}
    finally:
        envs.close()
    report = {
        "task": task.name,
        "seed": seed,
        "episodes": episodes,
        "steps": steps,
        "wall_s": time.perf_counter() - started,
        "random_success": random_success,
        "success": final,
        "curve": curve,
        "peak_rss_mb": peak_rss_mb(),
        **measured,
    }
    return Learned(learner, None if foresight is None else foresight.foresight, report)


class _Foreseer:
    """Foresight that learns beside a run, and is measured early and late."""

    def __init__(self, envs: GoalEnvs, learner: QLearner, config: GoalConfig, seed: int) -> None:
        self.foresight = GoalForesight(
            config.foresight,
            envs.space,
            learner,
            config.q.discount,
            envs.reached,
            generator(seed, "foresight"),
        )
        self._envs, self._learner, self._seed = envs, learner, seed
        self._early_at = EARLY_SHARE * config.total_steps
        self._measured: list[dict[str, Any]] = []

    def learn(self, episodes: GoalEpisodes, steps: int) -> None:
        """Learn from new episodes; measure when it is time for the first time."""
        try:
            self.foresight.learn(episodes)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if not self._measured and steps >= self._early_at:
            self.measure(steps)

    def measure(self, steps: int) -> list[dict[str, Any]]:
        """Measure after so many steps; return what was measured, the earliest first."""
        found = measure_foresight(self._envs, self._learner, self.foresight, self._seed)
        self._measured.append({"steps": steps, **found})
        return self._measured
