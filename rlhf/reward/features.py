"""What the reward model sees of a transition: columns [s, s' - s, action, absorbing, ending with s, ending].

Raw units throughout: the reward model carries its own frozen normaliser, so features stored years ago
mean the same today. Knows nothing of networks.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.reward.config import RewardConfig
from rlhf.types.experience import Actions, Bool, Float32, Segment
from rlhf.types.task import ActionSpace

FLAGS = ("absorbing", "ending")
"""Names of the columns that say that an episode is over, and that it has just ended; any task has them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardInputs:
    """How transitions of D observed numbers become F columns.

    Every step has the observation, if used its change and the action (one-hot if discrete), and says whether
    it was spent in the absorbing state, where nothing happens.

    With ``use_endings`` the outcome of an episode is an input of its own: the first absorbing step alone
    shows the observation that the episode ended with, and the others show nothing, so that a crash may cost
    what it does once, however long the wreck is looked at. Without, all of them show the last observation;
    with ``rest`` they show that instead, and nothing tells them from a step at rest.
    """

    action_space: ActionSpace
    use_actions: bool = False
    use_endings: bool = False
    use_changes: bool = True
    rest: tuple[float, ...] = ()

    @classmethod
    def of(cls, config: RewardConfig, action_space: ActionSpace) -> "RewardInputs":
        """Return what a reward model with this configuration sees."""
        return cls(action_space=action_space, **config.inputs())

    def steps(self, observations: Float32, actions: Actions, next_observations: Float32) -> Float32:
        """Return the features of steps in which the episode was going on, float32 (..., F).

        Args:
            observations: raw, (..., D).
            actions: as the environment saw them: float32 (..., A) in [-1, 1], or int64 (...) if discrete.
            next_observations: raw, before any reset, (..., D).

        Raises:
            ShapeError: the arrays do not belong together, or a discrete action is out of range.
        """
        check_shape("next_observations", next_observations, observations.shape)
        nothing = np.zeros(observations.shape[:-1], np.bool_)
        change = next_observations - observations
        return self._columns(observations, change, self._action_columns(actions, nothing), nothing, nothing)

    def absorbing(self, last: Float32, *, ending: bool) -> Float32:
        """Return the features of steps in the absorbing state, float32 (..., F).

        Args:
            last: observations that the episodes ended with, (..., D).
            ending: whether the steps are the first ones there.
        """
        present = np.ones(last.shape[:-1], np.bool_)
        return self._columns(
            last, np.zeros_like(last), self._no_actions(present), present, present & np.bool_(ending)
        )

    def segment(self, segment: Segment) -> Float32:
        """Return the features of a segment's L steps, float32 (L, F).

        A segment starts before its episode ends, so the first absorbing step is seen if any is.
        """
        observations, absorbing = segment.observations[:-1], segment.absorbing
        present = ~absorbing[:, None]
        actions = self._action_columns(segment.actions, absorbing)
        ending = absorbing & ~np.concatenate([absorbing[:1], absorbing[:-1]])
        change = np.where(present, segment.observations[1:] - observations, 0.0)
        return self._columns(observations, change, np.where(present, actions, 0.0), absorbing, ending)

    def names(self, observation_names: Sequence[str]) -> tuple[str, ...]:
        """Return one name per column, in order, from the names of the D entries of an observation.

        The observations' own, ``change of <name>``, ``action <i>`` (``action is <i>`` if discrete),
        ``absorbing``, ``ending with <name>`` and ``ending``.
        """
        names = [*observation_names]
        if self.use_changes:
            names += [f"change of {name}" for name in observation_names]
        if self.use_actions:
            word = "action is" if self.action_space.kind == "discrete" else "action"
            names += [f"{word} {index}" for index in range(self.action_space.feature_size)]
        absorbing, ending = FLAGS
        names.append(absorbing)
        if self.use_endings:
            names += [*(f"ending with {name}" for name in observation_names), ending]
        return tuple(names)

    def units(self, observation_units: Sequence[str]) -> tuple[str, ...]:
        """Return the unit of each column, in the order of ``names``; "" where there is none.

        A change over a step has the unit of what changes; actions and flags have none.
        """
        actions = self.action_space.feature_size if self.use_actions else 0
        endings = (*observation_units, "") if self.use_endings else ()
        changes = observation_units if self.use_changes else ()
        return (*observation_units, *changes, *[""] * actions, "", *endings)

    def num(self, observation_dim: int) -> int:
        """Return F, the number of columns for observations of ``observation_dim`` entries."""
        actions = self.action_space.feature_size if self.use_actions else 0
        seen = observation_dim * (1 + self.use_changes)
        return seen + actions + 1 + (observation_dim + 1 if self.use_endings else 0)

    def _columns(
        self, observations: Float32, change: Float32, actions: Float32, absorbing: Bool, ending: Bool
    ) -> Float32:
        columns = [observations]
        if self.use_endings:
            columns = [np.where(absorbing[..., None], 0.0, observations)]
        elif self.rest:
            check_shape("reward.rest", np.array(self.rest), observations.shape[-1:])
            columns = [np.where(absorbing[..., None], np.array(self.rest), observations)]
        if self.use_changes:
            columns.append(change)
        if self.use_actions:
            columns.append(actions)
        columns.append(_as_column(absorbing & (not self.rest)))
        if self.use_endings:
            columns += [np.where(ending[..., None], observations, 0.0), _as_column(ending)]
        return np.concatenate(columns, axis=-1, dtype=np.float32, casting="unsafe")

    def _action_columns(self, actions: Actions, steps: Bool) -> Float32:
        """Return the actions of steps (...) as columns (..., A), one-hot if discrete; zeros if unused."""
        if not self.use_actions:
            return self._no_actions(steps)
        size = self.action_space.size
        if self.action_space.kind == "continuous":
            check_shape("actions", actions, (*steps.shape, size))
            return actions.astype(np.float32)
        check_shape("actions", actions, steps.shape)
        if actions.size and not 0 <= actions.min() <= actions.max() < size:
            raise ShapeError(
                f"actions hold values from {actions.min()} to {actions.max()}; allowed are 0 to {size - 1}."
            )
        is_taken: Bool = actions[..., None] == np.arange(size)
        return is_taken.astype(np.float32)

    def _no_actions(self, steps: Bool) -> Float32:
        return np.zeros((*steps.shape, self.action_space.feature_size), np.float32)


def _as_column(flags: Bool) -> Float32:
    return flags[..., None].astype(np.float32)
