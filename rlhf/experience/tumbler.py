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
from rlhf.types.hopper import OBSERVATION_SIZE, observe_turning, torso_touches

FRAME_SKIP = 8
"""Half as many decisions a second as ``Hopper-v5``: chance leaves the ground, and turns over, sooner."""


class Tumbler(HopperEnv):  # type: ignore[misc]  # Gymnasium is untyped here
    """A hopper of 62.5 decisions a second that observes what ``observe_turning`` returns.

    An episode ends when the torso touches the ground. What turns fastest otherwise are handsprings off the
    head, and no price on touching the ground made PPO land on the foot instead: a low one was worth paying,
    and with a high one it never left the ground.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"frame_skip": FRAME_SKIP, **kwargs})
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float64)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing but thigh, leg and foot touches the ground."""
        return not torso_touches(self.data.qpos[1], self.data.qpos[2])

    def _get_obs(self) -> Float64:
        return observe_turning(np.concatenate((self.data.qpos[1:], self.data.qvel)))
