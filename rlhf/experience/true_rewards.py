"""True rewards of the MuJoCo tasks, for synthetic teachers and evaluation only.

Control costs are left out, because nobody can see them in a clip. All other tasks use their environment's
reward. Nothing here may reach the reward model or the policy.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from rlhf.types.experience import Float64

TrueReward = Callable[[Float64, Float64, Float64], Float64]
"""(forward velocity (N,) in m/s, next observations (N, D), actions (N, A)) -> rewards (N,)."""


def forward_velocity(velocity: Float64, observations: Float64, actions: Float64) -> Float64:
    """Return the distance covered in x during the step over its duration, (N,) in m/s."""
    return velocity.copy()


def upright_velocity(velocity: Float64, observations: Float64, actions: Float64) -> Float64:
    """Return forward velocity plus the torso's height, so that falling over costs something, (N,)."""
    return velocity + observations[:, 0]


def backflip(velocity: Float64, observations: Float64, actions: Float64) -> Float64:
    """Return how fast the hopper turns backwards, more so when it is high, moving and drifting back, (N,).

        turn * (1 + 0.3 height + 0.1 action . joint velocities + 0.05 backward velocity)

    Source: the hand-written reward that OpenAI published for comparison with "Learning from human
    preferences" (blog, 13 June 2017).
    """
    height, speed, turn = observations[:, 0], observations[:, 5], observations[:, 7]
    power = np.einsum("na,na->n", actions, observations[:, 8:11])
    reward: Float64 = -turn * (1.0 + 0.3 * height + 0.1 * power - 0.05 * speed)
    return reward


MUJOCO_TRUE_REWARDS: Mapping[str, TrueReward] = MappingProxyType(
    {
        "hopper-run": upright_velocity,
        "walker2d-run": upright_velocity,
        "hopper-backflip": backflip,
        "halfcheetah-run": forward_velocity,
        "swimmer-run": forward_velocity,
        "ant-run": forward_velocity,
    }
)
