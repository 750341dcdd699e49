"""Collecting episodes with goals, N at a time."""

from collections.abc import Callable

import numpy as np

from rlhf.types.experience import Float32, Int64
from rlhf.types.goals import GoalEnvs, GoalEpisodes

Choose = Callable[[Float32, Float32], Int64]
"""(observations (N, D), desired goals (N, G)) -> actions (N, A)."""


def collect_goal_episodes(envs: GoalEnvs, choose: Choose, seeds: Int64) -> GoalEpisodes:
    """Return one episode per environment, each until its goal is reached or the horizon is.

    Args:
        envs: N environments.
        choose: says what to do.
        seeds: of the episodes, (N,).
    """
    count, space = envs.num_envs, envs.space
    observations = np.zeros((count, envs.horizon + 1, space.observation_dim), np.float32)
    achieved = np.zeros((count, envs.horizon + 1, space.goal_dim), np.float32)
    actions = np.zeros((count, envs.horizon, space.action_dims), np.int64)
    lengths, reached = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    seen = envs.reset(seeds)
    desired = seen.desired
    observations[:, 0], achieved[:, 0] = seen.observations, seen.achieved
    for step in range(envs.horizon):
        acting = ~reached
        actions[:, step] = choose(seen.observations, desired)
        seen = envs.step(actions[:, step], acting)
        observations[:, step + 1], achieved[:, step + 1] = seen.observations, seen.achieved
        lengths += acting
        reached |= acting & envs.reached(seen.achieved, desired)
        if reached.all():
            break
    return GoalEpisodes(
        observations=observations,
        achieved=achieved,
        desired=desired,
        actions=actions,
        lengths=lengths,
        reached=reached,
    )
