"""Behaviour towards goals: what is exchanged between environments with goals and those who learn in them."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, Protocol

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Int64

Reached = Callable[[Float32, Float32], Bool]
"""(achieved (..., G), desired (..., G)) -> whether the one counts as the other, (...)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalSpace:
    """Sizes of an environment with goals, as a learner sees it."""

    observation_dim: int
    """D."""
    goal_dim: int
    """G."""
    action_dims: int
    """A, the choices made in one step: 1 where actions are discrete, else one per number of the action."""
    action_options: int
    """K, the options of each choice."""


class GoalObservation(NamedTuple):
    """Where N episodes stand."""

    observations: Float32
    """(N, D)."""
    achieved: Float32
    """(N, G), the goal that each state would be."""
    desired: Float32
    """(N, G), the goal of each episode."""


class GoalEnvs(Protocol):
    """N environments with goals, stepped together."""

    num_envs: int
    horizon: int
    """Steps after which an episode ends that has not reached its goal."""
    space: GoalSpace

    def reset(self, seeds: Int64) -> GoalObservation:
        """Begin N episodes, one seed (N,) each."""

    def step(self, actions: Int64, acting: Bool) -> GoalObservation:
        """Step with actions (N, A) in [0, K) where ``acting`` (N,); what is returned of others is void."""

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Return whether goals (..., G) are reached, (...); the same rule in experience and in hindsight."""

    def close(self) -> None:
        """Release the simulators."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalEpisodes:
    """N episodes of up to H steps. They end where the goal is reached; what lies beyond is padding."""

    observations: Float32
    """(N, H+1, D)."""
    achieved: Float32
    """(N, H+1, G)."""
    desired: Float32
    """(N, G)."""
    actions: Int64
    """(N, H, A)."""
    lengths: Int64
    """(N,), steps taken."""
    reached: Bool
    """(N,): whether the last step reached the goal."""

    def __post_init__(self) -> None:
        """Check that the axes belong together."""
        episodes, steps, _ = self.actions.shape
        check_shape("GoalEpisodes.observations", self.observations, (episodes, steps + 1, None))
        check_shape("GoalEpisodes.achieved", self.achieved, (episodes, steps + 1, None))
        check_shape("GoalEpisodes.desired", self.desired, (episodes, self.achieved.shape[2]))
        check_shape("GoalEpisodes.lengths", self.lengths, (episodes,))
        check_shape("GoalEpisodes.reached", self.reached, (episodes,))

    @property
    def num_steps(self) -> int:
        """Steps of all episodes together."""
        return int(self.lengths.sum())


class GoalTransitions(NamedTuple):
    """Single steps, B of them, each with the goal under which it is looked at."""

    observations: Float32
    """(B, D)."""
    actions: Int64
    """(B, A)."""
    next_observations: Float32
    """(B, D)."""
    goals: Float32
    """(B, G)."""
    reached: Bool
    """(B,): the step reached the goal. The reward is then 0, else -1, and nothing comes after it."""
