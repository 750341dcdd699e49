"""Replay of episodes with goals: a step is looked at under its own goal, or under one that came true.

Source: https://arxiv.org/abs/1707.01495 (hindsight experience replay, strategy "future").
"""

import dataclasses

import numpy as np

from rlhf.types.goals import GoalEpisodes, GoalSpace, GoalTransitions, Reached


@dataclasses.dataclass(frozen=True, kw_only=True)
class HindsightConfig:
    """What is remembered, and how it is looked at."""

    ratio: float = 4.0
    """Steps looked at under a goal that came true, for each one under its own; 0: no hindsight. 0 to 8."""
    capacity: int = 100_000
    """Steps that are remembered; the oldest episodes go first."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if not self.ratio >= 0:
            raise ValueError(f"ratio is {self.ratio}; it must be >= 0.")
        if self.capacity < 1:
            raise ValueError(f"capacity is {self.capacity}; it must be >= 1.")


class HindsightReplay:
    """Remembers episodes and samples their steps, relabelled.

    A relabelled step and its reward come from the same rule as experience itself, so that "reached" means
    one thing.

    Args:
        config: how much.
        space: sizes.
        horizon: steps of the longest episode.
        reached: says whether a goal counts as reached.
    """

    def __init__(self, config: HindsightConfig, space: GoalSpace, horizon: int, reached: Reached) -> None:
        slots = max(1, config.capacity // horizon)
        self._share = config.ratio / (1.0 + config.ratio)
        self._reached = reached
        self._observations = np.zeros((slots, horizon + 1, space.observation_dim), np.float32)
        self._achieved = np.zeros((slots, horizon + 1, space.goal_dim), np.float32)
        self._desired = np.zeros((slots, space.goal_dim), np.float32)
        self._actions = np.zeros((slots, horizon, space.action_dims), np.int64)
        self._lengths = np.zeros(slots, np.int64)
        self._ends = np.zeros(slots, np.int64)
        self._next_slot = 0

    @property
    def num_steps(self) -> int:
        """Steps remembered."""
        return int(self._ends[-1])

    def add(self, episodes: GoalEpisodes) -> None:
        """Remember episodes; those that no longer fit are forgotten."""
        slots = (self._next_slot + np.arange(len(episodes.lengths))) % len(self._lengths)
        self._observations[slots] = episodes.observations
        self._achieved[slots] = episodes.achieved
        self._desired[slots] = episodes.desired
        self._actions[slots] = episodes.actions
        self._lengths[slots] = episodes.lengths
        np.cumsum(self._lengths, out=self._ends)
        self._next_slot = int(slots[-1] + 1) % len(self._lengths)

    def sample(self, batch_size: int, rng: np.random.Generator) -> GoalTransitions:
        """Return steps drawn uniformly; a share of them under a goal achieved later in their episode.

        Raises:
            ValueError: nothing is remembered.
        """
        if not self.num_steps:
            raise ValueError("there is nothing to sample from; add episodes first.")
        index = rng.integers(self.num_steps, size=batch_size)
        slot = np.searchsorted(self._ends, index, side="right")
        step = index - (self._ends[slot] - self._lengths[slot])
        later = step + 1 + (rng.random(batch_size) * (self._lengths[slot] - step)).astype(np.int64)
        relabelled = rng.random(batch_size) < self._share
        goals = np.where(relabelled[:, None], self._achieved[slot, later], self._desired[slot])
        return GoalTransitions(
            observations=self._observations[slot, step],
            actions=self._actions[slot, step],
            next_observations=self._observations[slot, step + 1],
            goals=goals,
            reached=self._reached(self._achieved[slot, step + 1], goals),
        )
