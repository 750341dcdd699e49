"""Memory of whole episodes whose reward may change: what was done stays, its worth is worked out anew."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Int64


@dataclasses.dataclass(frozen=True, kw_only=True)
class PastEpisode:
    """States, actions and rewards of one episode of T steps."""

    observations: Float32
    """(T + 1, D), raw."""
    options: Int64
    """(T, A), which option of each of the action's numbers was taken."""
    log_probs: Float32
    """(T,), of the options under the policy that took them."""
    rewards: Float32
    """(T,)."""
    terminated: bool
    """Whether nothing comes after it; False where the horizon cut it."""

    def __post_init__(self) -> None:
        """Check that the lengths belong together."""
        steps = len(self.rewards)
        check_shape("PastEpisode.observations", self.observations, (steps + 1, None))
        check_shape("PastEpisode.options", self.options, (steps, None))
        check_shape("PastEpisode.log_probs", self.log_probs, (steps,))


Reward = Callable[[PastEpisode], Float32]
"""The rewards (T,) that the steps of an episode would earn under another reward, such as a learned one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PastSteps:
    """All remembered steps, S, in one table; episode after episode, oldest first."""

    observations: Float32
    """(S + episodes, D): each episode's T + 1."""
    rows: Int64
    """(S,), where a step's state is among ``observations``; the next row is the state it led to."""
    last_rows: Int64
    """(S,), where the last state of its episode is."""
    options: Int64
    """(S, A)."""
    log_probs: Float32
    """(S,)."""
    rewards: Float32
    """(S,)."""
    returns: Float32
    """(S,), discounted sum of the rewards from the step to its episode's end."""
    discounts: Float32
    """(S,), gamma to the number of steps until that end; 0 where the episode terminated."""
    terminated: Bool
    """(S,), whether the step was the last one and nothing comes after it."""
    chances: Float32
    """(S,), how often a step is drawn, up to a factor."""

    def draw(self, count: int, rng: np.random.Generator) -> Int64:
        """Return the numbers of steps drawn by their chances, (count,)."""
        ends = np.cumsum(self.chances, dtype=np.float64)
        drawn: Int64 = np.searchsorted(ends, rng.random(count) * ends[-1], side="right")
        return np.minimum(drawn, len(ends) - 1)


def discounted_returns(rewards: Float32, discount: float) -> Float32:
    """Return R_t = r_t + gamma * R_{t + 1} of each step, (T,), with nothing after the last one."""
    returns, after = np.empty(len(rewards), np.float32), 0.0
    for step in range(len(rewards) - 1, -1, -1):
        returns[step] = after = float(rewards[step]) + discount * after
    return returns


class PastEpisodes:
    """The latest episodes.

    Args:
        capacity: episodes that are remembered.
        half_life: a step is drawn half as often as one that is so many episodes younger.
        discount: gamma of the returns.
    """

    def __init__(self, capacity: int, half_life: float, discount: float) -> None:
        self._half_life, self._discount = half_life, discount
        self._episodes: collections.deque[tuple[PastEpisode, Float32]] = collections.deque(maxlen=capacity)

    @property
    def episodes(self) -> list[PastEpisode]:
        """The remembered episodes, oldest first."""
        return [episode for episode, _ in self._episodes]

    def add(self, episodes: Sequence[PastEpisode]) -> None:
        """Remember episodes; the oldest are forgotten."""
        self._episodes.extend((e, discounted_returns(e.rewards, self._discount)) for e in episodes)

    def relabel(self, reward: Reward) -> None:
        """Give every step the reward that it would earn now, and work out its return again."""
        episodes = [dataclasses.replace(episode, rewards=reward(episode)) for episode in self.episodes]
        self._episodes.clear()
        self.add(episodes)

    def steps(self) -> PastSteps:
        """Return all steps as one table.

        Raises:
            ValueError: nothing is remembered.
        """
        if not self._episodes:
            raise ValueError("nothing is remembered; add episodes first.")
        episodes = self.episodes
        lengths = np.array([len(e.rewards) for e in episodes])
        number = np.repeat(np.arange(len(episodes)), lengths)
        step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = np.arange(lengths.sum()) + number
        left = lengths[number] - step
        ends = np.array([e.terminated for e in episodes])[number]
        return PastSteps(
            observations=np.concatenate([e.observations for e in episodes]),
            rows=rows,
            last_rows=rows + left,
            options=np.concatenate([e.options for e in episodes]),
            log_probs=np.concatenate([e.log_probs for e in episodes]),
            rewards=np.concatenate([e.rewards for e in episodes]),
            returns=np.concatenate([returns for _, returns in self._episodes]),
            discounts=np.where(ends, 0.0, self._discount**left).astype(np.float32),
            terminated=ends & (left == 1),
            chances=(0.5 ** ((len(episodes) - 1 - number) / self._half_life)).astype(np.float32),
        )
