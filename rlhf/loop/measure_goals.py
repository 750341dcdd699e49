"""How many goals are reached: by a learner alone, with foresight, and after its world has changed.

Success is measured without exploration, on episodes that are not learned from.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlhf.errors import TaskError
from rlhf.experience.goal_rollout import Choose, collect_goal_episodes
from rlhf.experience.goal_tasks import GoalTask, make_goal_envs
from rlhf.policy.goal_foresight import GoalForesight
from rlhf.policy.q_learning import QLearner
from rlhf.seeding import generator
from rlhf.types.experience import Float32, Int64
from rlhf.types.goals import GoalEnvs

ADAPTATION_STEPS = 500
_ADAPTATION_UPDATES = 1000
_ADAPTATION_EPSILON = 0.2


def measure_success(envs: GoalEnvs, choose: Choose, num_episodes: int, seed: int) -> float:
    """Return the share of goals reached in at least ``num_episodes``, the same ones for equal seeds.

    Args:
        envs: to act in.
        choose: says what to do.
        num_episodes: rounded up to whole rounds of ``envs``.
        seed: of the run; these episodes have seeds of their own.
    """
    seeds = generator(seed, "evaluation")
    rounds = -(-num_episodes // envs.num_envs)
    reached = [
        collect_goal_episodes(envs, choose, draw_seeds(seeds, envs.num_envs)).reached for _ in range(rounds)
    ]
    return float(np.concatenate(reached).mean())


def measure_foresight(
    envs: GoalEnvs, learner: QLearner, foresight: GoalForesight, seed: int
) -> dict[str, Any]:
    """Return how the learner does alone and with foresight, on the same episodes.

    Returns:
        ``{"success", "alone", "overruled", "held_out_error"}``: both shares of goals reached, the share of
        actions that were overruled, and of the change of held-out states that the model does not foretell.
    """
    foresight.calibrate()
    alone, overruled = acts_alone(learner), []

    def look_ahead(observations: Float32, goals: Float32) -> Int64:
        plan = foresight.plan(observations, goals)
        overruled.append(plan.overruled)
        return np.asarray(plan.actions, np.int64)

    return {
        "success": measure_success(envs, look_ahead, foresight.config.episodes, seed),
        "alone": measure_success(envs, alone, foresight.config.episodes, seed),
        "overruled": float(np.concatenate(overruled).mean()),
        "held_out_error": foresight.model.held_out_error(),
    }


def measure_shift(
    task: GoalTask,
    settings: Mapping[str, float],
    learner: QLearner,
    foresight: GoalForesight,
    num_envs: int,
    seed: int,
) -> dict[str, Any]:
    """Change the world, let the model (and nothing else) adapt to it, and return ``measure_foresight``.

    Args:
        task: what was learned.
        settings: of its environment that are to be others.
        learner: as it is; it stays so.
        foresight: its model goes on learning, from ``ADAPTATION_STEPS`` steps of the changed world alone.
        num_envs: episodes at the same time.
        seed: of the run.

    Raises:
        TaskError: the environment has no such settings.
    """
    changed = dataclasses.replace(task, env_kwargs={**task.env_kwargs, **settings})
    try:
        envs = make_goal_envs(changed, num_envs)
    except TypeError as error:
        raise TaskError(f"{task.name!r} cannot be changed by {dict(settings)}: {error}.") from error
    rng = generator(seed, "shift")
    try:
        foresight.forget()
        missing = ADAPTATION_STEPS
        while missing > 0:
            episodes = collect_goal_episodes(
                envs,
                lambda seen, goals: learner.act(seen, goals, rng, _ADAPTATION_EPSILON),
                draw_seeds(rng, num_envs),
            )
            before = np.cumsum(episodes.lengths) - episodes.lengths
            lengths = np.clip(missing - before, 0, episodes.lengths)
            foresight.add(dataclasses.replace(episodes, lengths=lengths))
            missing -= int(lengths.sum())
        foresight.model.adapt(_ADAPTATION_UPDATES)
        return {"settings": dict(settings), **measure_foresight(envs, learner, foresight, seed)}
    finally:
        envs.close()


def acts_alone(learner: QLearner) -> Choose:
    """Return what the learner does by itself, without exploration."""
    unused = np.random.default_rng(0)
    return lambda observations, goals: learner.act(observations, goals, unused, 0.0)


def draw_seeds(rng: np.random.Generator, count: int) -> Int64:
    """Return seeds for so many episodes."""
    return rng.integers(2**31, size=count)
