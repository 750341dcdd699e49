"""Gymnasium's hopper for turning over: it sees which way is up however often it has turned, and how fast.

``Hopper-v5`` gives an angle that goes on growing with every turn, so that a policy has to learn each turn
anew, and velocities that stop at 10 rad/s, which a somersault exceeds half of the time. Paid by such a
velocity, PPO finds that rocking to and fro earns most: backwards slowly, forwards faster than is seen.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv

from rlhf.types.experience import Float64
from rlhf.types.hopper import OBSERVATION_SIZE, observe_turning

FRAME_SKIP = 8
"""Half as many decisions a second as ``Hopper-v5``: chance leaves the ground, and turns over, sooner."""


class Tumbler(HopperEnv):  # type: ignore[misc]  # Gymnasium is untyped here
    """A hopper of 62.5 decisions a second that never ends and observes what ``observe_turning`` returns."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"frame_skip": FRAME_SKIP, "terminate_when_unhealthy": False, **kwargs})
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float64)

    def _get_obs(self) -> Float64:
        return observe_turning(np.concatenate((self.data.qpos[1:], self.data.qvel)))
