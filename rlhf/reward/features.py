"""What the reward model sees of a transition: columns [s, s' - s, action, absorbing].

Raw units throughout: the reward model carries its own frozen normaliser, so features stored years ago
mean the same today. Knows nothing of networks.
"""

from collections.abc import Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.types.experience import Actions, Bool, Float32, Segment
from rlhf.types.task import ActionSpace


def transition_features(
    observations: Float32,
    actions: Actions,
    next_observations: Float32,
    absorbing: Bool,
    *,
    action_space: ActionSpace,
    use_actions: bool,
) -> Float32:
    """Return the reward model's input for each transition.

    In absorbing steps nothing happens: the difference and the action are zero and the flag is one.

    Args:
        observations: raw, (..., D).
        actions: as the environment saw them: float32 (..., A) in [-1, 1], or int64 (...) if discrete.
        next_observations: raw, before any reset, (..., D).
        absorbing: whether the step was spent in the absorbing state, (...).
        action_space: says how actions look.
        use_actions: whether the action is part of the input.

    Returns:
        float32 (..., F), F = 2 D + 1, plus the action's columns if used; a new array.

    Raises:
        ShapeError: the arrays do not belong together, or a discrete action is out of range.
    """
    check_shape("next_observations", next_observations, observations.shape)
    check_shape("absorbing", absorbing, observations.shape[:-1])
    present = ~absorbing[..., None]
    columns = [observations, np.where(present, next_observations - observations, 0.0)]
    if use_actions:
        columns.append(np.where(present, _action_columns(actions, absorbing.shape, action_space), 0.0))
    columns.append(absorbing[..., None])
    return np.concatenate(columns, axis=-1, dtype=np.float32, casting="unsafe")


def segment_features(segment: Segment, *, action_space: ActionSpace, use_actions: bool) -> Float32:
    """Return the features of a segment's L steps, float32 (L, F); see ``transition_features``."""
    return transition_features(
        segment.observations[:-1],
        segment.actions,
        segment.observations[1:],
        segment.absorbing,
        action_space=action_space,
        use_actions=use_actions,
    )


def feature_names(
    observation_names: Sequence[str], *, action_space: ActionSpace, use_actions: bool
) -> tuple[str, ...]:
    """Return one name per feature column, in order.

    Args:
        observation_names: names of the D entries of an observation.
        action_space: says how actions look.
        use_actions: whether the action is part of the input.

    Returns:
        F names: the observation's own, ``change of <name>``, ``action <i>`` (``action is <i>`` if
        discrete) and ``absorbing``.
    """
    names = [*observation_names, *(f"change of {name}" for name in observation_names)]
    if use_actions:
        word = "action is" if action_space.kind == "discrete" else "action"
        names += [f"{word} {index}" for index in range(action_space.feature_size)]
    return (*names, "absorbing")


def feature_units(
    observation_units: Sequence[str], *, action_space: ActionSpace, use_actions: bool
) -> tuple[str, ...]:
    """Return the unit of each feature column, in the order of ``feature_names``; "" where there is none.

    A change over a step has the unit of what changes; actions and flags have none.
    """
    actions = action_space.feature_size if use_actions else 0
    return (*observation_units, *observation_units, *[""] * actions, "")


def num_features(observation_dim: int, *, action_space: ActionSpace, use_actions: bool) -> int:
    """Return F, the number of feature columns for observations of ``observation_dim`` entries."""
    return 2 * observation_dim + 1 + (action_space.feature_size if use_actions else 0)


def _action_columns(actions: Actions, leading: tuple[int, ...], action_space: ActionSpace) -> Float32:
    """Return the actions as float columns (..., A): one-hot if discrete."""
    if action_space.kind == "continuous":
        check_shape("actions", actions, (*leading, action_space.size))
        return actions.astype(np.float32)
    check_shape("actions", actions, leading)
    if actions.size and not 0 <= actions.min() <= actions.max() < action_space.size:
        raise ShapeError(
            f"actions hold values from {actions.min()} to {actions.max()}; "
            f"allowed are 0 to {action_space.size - 1}."
        )
    is_taken: Bool = actions[..., None] == np.arange(action_space.size)
    return is_taken.astype(np.float32)
