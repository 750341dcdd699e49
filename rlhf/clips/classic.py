"""Gymnasium's classic-control environments, for drawing only: picture size and simulator state."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rlhf.clips.resize import Frame
from rlhf.errors import RenderError
from rlhf.types.experience import Float64

_STATE_SIZES = {
    "CartPoleEnv": 4,  # x, x_dot, theta, theta_dot
    "MountainCarEnv": 2,  # position, velocity
    "Continuous_MountainCarEnv": 2,
    "AcrobotEnv": 4,  # theta1, theta2, theta1_dot, theta2_dot
    "PendulumEnv": 3,  # theta, theta_dot, last torque
}


_WIDE = {"screen_width": 480, "screen_height": 320}
_PICTURE_SIZES = {
    "CartPoleEnv": _WIDE,
    "MountainCarEnv": _WIDE,
    "Continuous_MountainCarEnv": _WIDE,
    "AcrobotEnv": {"SCREEN_DIM": 400},
    "PendulumEnv": {"screen_dim": 400},
}
"""Drawn at the size of the clip: four times as fast as drawing large and shrinking each frame."""


def set_picture_size(env: Any) -> None:
    """Make an unwrapped environment draw at the size of a clip; does nothing where that cannot be set."""
    for name, pixels in _PICTURE_SIZES.get(type(env).__name__, {}).items():
        setattr(env, name, pixels)


def draw(env: Any) -> Frame:
    """Return the picture that a Gymnasium environment draws of its present state.

    Pendulum reads the picture of its arrow from a file for every frame, which takes half of the time; here
    it is read once.
    """
    if type(env.unwrapped).__name__ != "PendulumEnv":
        return np.asarray(env.render())
    import pygame

    read = pygame.image.load
    pygame.image.load = _remembering(read)  # type: ignore[assignment]
    try:
        return np.asarray(env.render())
    finally:
        pygame.image.load = read


@functools.cache
def _remembering(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return functools.cache(read)


def place(env: Any, sim_state: Float64) -> None:
    """Put an unwrapped environment into ``sim_state`` (S,).

    Raises:
        RenderError: the environment's state cannot be set, or the state is of another length.
    """
    kind = type(env).__name__
    size = _STATE_SIZES.get(kind)
    if size is None:
        raise RenderError(
            f"the state of {kind} cannot be set; store the actions from the reset instead of sim_states "
            f"(states can be set for {', '.join(sorted(_STATE_SIZES))} and MuJoCo environments)."
        )
    if sim_state.shape != (size,):
        raise RenderError(
            f"a simulator state of {kind} has {size} numbers; this one has shape {sim_state.shape}."
        )
    if kind == "PendulumEnv":
        env.state = sim_state[:2].copy()
        # No torque was applied before the first step; the environment then draws no arrow.
        env.last_u = float(sim_state[2]) or None
    else:
        env.state = sim_state.copy()
