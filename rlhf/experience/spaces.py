"""Gymnasium spaces as the rest of the program sees them: flat observations, actions in [-1, 1] or [0, n).

The only place that maps policy actions onto an environment's bounds. Knows nothing of tasks or stepping.
"""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from rlhf.errors import TaskError
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace

MAX_OBSERVATION_SIZE = 4096


def to_env_actions(low: npt.NDArray[Any], high: npt.NDArray[Any], actions: npt.NDArray[Any]) -> Float32:
    """Map actions from [-1, 1] linearly onto ``[low, high]``; values beyond [-1, 1] land on a bound.

    Args:
        low: lower bounds, float32 (A,) or broadcastable.
        high: upper bounds, like ``low``.
        actions: float32 (..., A).

    Returns:
        float32 (..., A), a new array that never leaves the bounds.
    """
    mapped = (low + high) / 2 + (high - low) / 2 * actions
    bounded: Float32 = np.minimum(np.maximum(mapped, low), high).astype(np.float32, copy=False)
    return bounded


def action_space_of(space: Any) -> ActionSpace:
    """Return how actions of a Gymnasium action space look to a policy.

    Raises:
        TaskError: the space is neither ``Discrete`` nor a float ``Box`` with finite bounds.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        return ActionSpace("discrete", int(space.n))
    if isinstance(space, gymnasium.spaces.Box):
        if not np.issubdtype(space.dtype, np.floating):
            raise TaskError(
                f"the action space {space} holds whole numbers; a Box of floats or Discrete is needed."
            )
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
            raise TaskError(f"the action space {space} has infinite bounds; finite ones are needed.")
        return ActionSpace("continuous", int(np.prod(space.shape)))
    raise TaskError(f"the action space {space} is not supported; Discrete and Box are.")


def observation_size(space: Any) -> int:
    """Return D, the length of a flattened observation.

    Raises:
        TaskError: the space is neither ``Box`` nor ``Discrete``, or it is as large as an image.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        size = int(space.n)
    elif isinstance(space, gymnasium.spaces.Box):
        size = int(np.prod(space.shape))
    else:
        raise TaskError(f"the observation space {space} is not supported; Box and Discrete are.")
    if not 1 <= size <= MAX_OBSERVATION_SIZE:
        raise TaskError(
            f"the observation space {space} has {size} numbers; 1 to {MAX_OBSERVATION_SIZE} are supported, "
            "so choose a variant of the environment without images."
        )
    return size


def flatten_observation(space: Any, observation: Any) -> Float32:
    """Return an observation as float32 (D,): a ``Box`` flattened, a ``Discrete`` one-hot."""
    if isinstance(space, gymnasium.spaces.Discrete):
        one_hot = np.zeros(int(space.n), np.float32)
        one_hot[int(observation) - int(space.start)] = 1.0
        return one_hot
    return np.asarray(observation, np.float32).reshape(-1)


def with_policy_actions(env: Any) -> Any:
    """Wrap a Gymnasium environment so that ``step`` takes one action as policies give it.

    Continuous actions are float32 (A,) in [-1, 1], discrete ones start at zero.
    """
    space = env.action_space
    if action_space_of(space).kind == "discrete":
        first = int(space.start)
        if first == 0:
            return env
        counted = gymnasium.spaces.Discrete(int(space.n))
        return gymnasium.wrappers.TransformAction(env, lambda action: int(action) + first, counted)
    low, high = space.low.reshape(-1), space.high.reshape(-1)

    def onto_bounds(action: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return to_env_actions(low, high, action).reshape(space.shape).astype(space.dtype, copy=False)

    unit = gymnasium.spaces.Box(-1.0, 1.0, low.shape, np.float32)
    return gymnasium.wrappers.TransformAction(env, onto_bounds, unit)
