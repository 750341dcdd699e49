"""Observations -> the simulator's states that they show, so that imagined ones can be drawn too."""

from typing import Any

import numpy as np

from rlhf.experience import classic
from rlhf.experience.mujoco_batch import LAYOUTS
from rlhf.types.experience import Float32, Float64
from rlhf.types.hopper import TUMBLER, posture_of


def states_shown(env: Any, env_id: str, observations: Float32) -> Float64:
    """Return the states (T, S) that observations (T, D) of one stretch of an episode show.

    What robots do not see, which is where they are, begins at 0 and follows their velocity.

    Args:
        env: the Gymnasium environment, unwrapped.
        env_id: its id.
        observations: one after another.

    Raises:
        TaskError: observations of this environment do not show its whole state.
    """
    layout = LAYOUTS.get(env_id)
    if layout is None:
        return classic.states_shown(env_id, observations)
    hidden, nq, nv = layout.hidden_positions, int(env.model.nq), int(env.model.nv)
    seen = observations.astype(np.float64)
    if env_id == TUMBLER:
        seen[:, : nq - hidden] = posture_of(seen)
    seen = seen[:, : nq - hidden + nv]
    moved = seen[:, nq - hidden : nq] * env.dt
    moved[0] = 0.0
    return np.concatenate([moved.cumsum(axis=0), seen], axis=1)
