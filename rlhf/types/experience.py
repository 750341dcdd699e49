"""Behaviour as arrays: episodes, segments and rollouts, validated when they are made.

None of these types holds the true reward; see ``experience.rollout`` for where it goes instead.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.errors import ShapeError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Actions = Float32 | Int64

NO_POLICY = -1
"""The ``policy_version`` of behaviour that no policy showed: a person's, or a scripted expert's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
    """What is needed to show the same states again.

    Either ``sim_states``, one simulator state per observation, float64 (L+1, S); or, for simulators whose
    state cannot be set, ``reset_seed`` with every action since the reset.
    """

    reset_seed: int
    """Seed of the episode's reset, >= 0."""
    start: int
    """Step of the episode at which the segment starts."""
    sim_states: Float64 | None = None
    """One state per observation, or None where the simulator cannot be put into a state."""
    actions_from_reset: Actions | None = None
    """Actions from the reset to the segment's last real step, where ``sim_states`` is None."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Episode:
    """From reset to termination or horizon: T real steps, without the absorbing padding."""

    observations: Float32
    """(T+1, D), raw, the last one included."""
    actions: Actions
    """float32 (T, A) in [-1, 1], or int64 (T,)."""
    terminated: bool
    """Whether the environment ended it before the horizon."""
    reset_seed: int
    policy_version: int
    sim_states: Float64 | None = None
    """(T+1, S) or None."""

    def __post_init__(self) -> None:
        """Check that the lengths belong together."""
        check_shape("Episode.observations", self.observations, (self.num_steps + 1, None))
        if self.sim_states is not None:
            check_shape("Episode.sim_states", self.sim_states, (self.num_steps + 1, None))
        if self.num_steps < 1:
            raise ShapeError("an Episode needs at least one step; it has none.")

    @property
    def num_steps(self) -> int:
        """T, the number of real steps."""
        return len(self.actions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """A slice of L steps of one episode; it never spans a reset.

    After an early termination it is padded with the absorbing state: the last observation repeated,
    actions zero, ``absorbing`` true.
    """

    observations: Float32
    """(L+1, D), raw."""
    actions: Actions
    """float32 (L, A) in [-1, 1], or int64 (L,); zero in absorbing steps."""
    absorbing: Bool
    """(L,): whether the step was spent in the absorbing state."""
    policy_version: int
    replay: Replay

    def __post_init__(self) -> None:
        """Check that the lengths belong together."""
        check_shape("Segment.observations", self.observations, (self.num_steps + 1, None))
        check_shape("Segment.absorbing", self.absorbing, (self.num_steps,))
        if self.replay.sim_states is not None:
            check_shape("Segment.replay.sim_states", self.replay.sim_states, (self.num_steps + 1, None))
        elif self.replay.actions_from_reset is None:
            raise ShapeError("a Segment needs sim_states or actions_from_reset to be shown again.")

    @property
    def num_steps(self) -> int:
        """L, absorbing steps included."""
        return len(self.absorbing)

    @property
    def num_real_steps(self) -> int:
        """Steps before the absorbing state."""
        return int((~self.absorbing).sum())

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the segment as named arrays for an npz file; the inverse of ``from_arrays``."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "observations": self.observations,
            "actions": self.actions,
            "absorbing": self.absorbing,
            "meta": np.array([self.policy_version, self.replay.reset_seed, self.replay.start], np.int64),
        }
        if self.replay.sim_states is not None:
            arrays["sim_states"] = self.replay.sim_states
        if self.replay.actions_from_reset is not None:
            arrays["actions_from_reset"] = self.replay.actions_from_reset
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> "Segment":
        """Rebuild a segment from ``to_arrays``."""
        policy_version, reset_seed, start = (int(x) for x in arrays["meta"])
        return cls(
            observations=arrays["observations"],
            actions=arrays["actions"],
            absorbing=arrays["absorbing"],
            policy_version=policy_version,
            replay=Replay(
                reset_seed=reset_seed,
                start=start,
                sim_states=arrays.get("sim_states"),
                actions_from_reset=arrays.get("actions_from_reset"),
            ),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rollout:
    """T steps of N environments as PPO needs them; axes (T, N, ...). No reward in it.

    ``next_observations`` is the state the action led to, before any reset: on the last step of an episode
    it is that episode's final observation, not the first one of the next.
    """

    observations: Float32
    """(T, N, D), raw."""
    actions: Actions
    """What the policy sampled, unclipped: float32 (T, N, A) or int64 (T, N)."""
    log_probs: Float32
    """(T, N), of the unclipped sample under the policy that acted."""
    next_observations: Float32
    """(T, N, D), raw, before any reset."""
    terminated: Bool
    """(T, N): the step entered the absorbing state."""
    truncated: Bool
    """(T, N): the step reached the horizon."""
    policy_version: int

    def __post_init__(self) -> None:
        """Check that the axes belong together."""
        steps, envs = self.terminated.shape
        check_shape("Rollout.observations", self.observations, (steps, envs, None))
        check_shape("Rollout.next_observations", self.next_observations, self.observations.shape)
        check_shape("Rollout.log_probs", self.log_probs, (steps, envs))
        check_shape("Rollout.truncated", self.truncated, (steps, envs))

    @property
    def num_steps(self) -> int:
        """T x N, the environment steps in it."""
        return self.terminated.size

    def applied_actions(self) -> Actions:
        """Return the actions as the environment (and so the reward model) saw them: clipped to [-1, 1]."""
        if np.issubdtype(self.actions.dtype, np.floating):
            return np.clip(self.actions, -1.0, 1.0).astype(np.float32)
        return self.actions
