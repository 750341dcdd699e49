"""True rewards of the MuJoCo tasks, for synthetic teachers and evaluation only.

The presets leave control costs out, because nobody can see them in a clip. The standard environments
(``gym:Hopper-v5`` and so on) are paid exactly as Gymnasium pays them. All other tasks use their environment's
reward. Nothing here may reach the reward model or the policy.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from rlhf.types.experience import Bool, Float32, Float64
from rlhf.types.hopper import COSINE, HEIGHT_CLEAR, ON_GROUND, TORSO_TURNING


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MujocoStep:
    """One step of N environments, as far as a reward may depend on it."""

    velocity: Float64
    """(N,), distance covered in x over the step's duration, m/s."""
    observations: Float64
    """(N, D), after the step."""
    controls: Float32
    """(N, A), in the environment's own units."""
    healthy: Bool
    """(N,): whether the body is still in its allowed range; all true where there is none."""
    contact_forces: Float64 | None
    """(N, bodies x 6), clipped, where the environment computes them."""


TrueReward = Callable[[MujocoStep], Float64]
"""(step of N environments) -> rewards (N,)."""


def forward_velocity(step: MujocoStep) -> Float64:
    """Return the forward velocity, (N,) in m/s."""
    return step.velocity


def upright_velocity(step: MujocoStep) -> Float64:
    """Return forward velocity plus the torso's height, so that falling over costs something, (N,)."""
    return step.velocity + step.observations[:, 0]


def backflip(step: MujocoStep) -> Float64:
    """Return how the hopper turns backwards off the ground, less what a person would mind, (N,).

        -(0.4 turn + 2 cos(angle)) clearance - 4 [it touches the ground] (1 - cos(angle))

    Clearance is the height of its lowest point, which tells a somersault from a roll and from a handspring:
    the formula that OpenAI published for comparison with "Learning from human preferences" (blog, 13 June
    2017) pays for turning at any height, and PPO learns to roll. Being upside down is worth as much as
    turning, so that it jumps high. Where touching the ground upside down cost half as much, tumbling from
    foot to foot paid more than any backflip. A fall costs nothing but what could have been earned after it;
    where it cost 10, PPO learned to stand. Turning forwards costs what turning backwards earns; where it cost
    less, PPO learned to rock to and fro.
    """
    seen = step.observations
    upright = seen[:, COSINE]
    pay = -(0.4 * seen[:, TORSO_TURNING] + 2.0 * upright) * np.maximum(seen[:, HEIGHT_CLEAR], 0.0)
    reward: Float64 = pay - 4.0 * seen[:, ON_GROUND] * (1.0 - upright)
    return reward


@dataclasses.dataclass(frozen=True, kw_only=True)
class StandardReward:
    """Gymnasium's own reward with its default weights.

    velocity + healthy_reward * healthy - control_cost * |controls|^2 - contact_cost * |contact forces|^2
    """

    control_cost: float
    healthy_reward: float = 0.0
    contact_cost: float = 0.0

    def __call__(self, step: MujocoStep) -> Float64:
        """Return the rewards, (N,)."""
        # In single precision, as Gymnasium does, so that both round alike.
        rewards = step.velocity + self.healthy_reward * step.healthy
        costs = self.control_cost * np.square(step.controls).sum(axis=1)
        if step.contact_forces is not None:
            costs = costs + self.contact_cost * np.square(step.contact_forces).sum(axis=1)
        difference: Float64 = rewards - costs
        return difference


MUJOCO_TRUE_REWARDS: Mapping[str, TrueReward] = MappingProxyType(
    {
        "hopper-run": upright_velocity,
        "walker2d-run": upright_velocity,
        "hopper-backflip": backflip,
        "halfcheetah-run": forward_velocity,
        "swimmer-run": forward_velocity,
        "ant-run": forward_velocity,
        "gym:Hopper-v5": StandardReward(control_cost=1e-3, healthy_reward=1.0),
        "gym:Walker2d-v5": StandardReward(control_cost=1e-3, healthy_reward=1.0),
        "gym:HalfCheetah-v5": StandardReward(control_cost=0.1),
        "gym:Swimmer-v5": StandardReward(control_cost=1e-4),
        "gym:Ant-v5": StandardReward(control_cost=0.5, healthy_reward=1.0, contact_cost=5e-4),
    }
)
"""By task name; every task in it is stepped by ``mujoco_batch``."""
