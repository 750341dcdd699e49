import math

import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.evaluation.reward_distance import shaping_invariant_distance

DISCOUNT = 0.95


class Walk:
    """Segments of a wandering point, some of which end in the absorbing state."""

    def __init__(self, seed: int = 0, segments: int = 60, steps: int = 20, width: int = 3) -> None:
        self.rng = np.random.default_rng(seed)
        self.observations = self.rng.normal(size=(segments, steps + 1, width)).cumsum(axis=1)
        self.absorbing = np.arange(steps) >= np.where(np.arange(segments) % 3, steps, 12)[:, None]
        for segment in np.flatnonzero(self.absorbing.any(axis=1)):
            self.observations[segment, 13:] = self.observations[segment, 12]
        self.observations = self.observations.astype(np.float32)

    def reward(self) -> np.ndarray:
        """A reward of the action, so to say: not of the state."""
        return np.where(self.absorbing, 0.0, self.rng.normal(size=self.absorbing.shape))

    def shaping(self) -> np.ndarray:
        """Of a quadratic potential that is 7 in the absorbing state."""
        state = self.observations[:, :-1].astype(np.float64)
        potential = np.where(self.absorbing, 7.0, state[..., 0] * state[..., 1] - 2.0 * state[..., 2])
        after = np.concatenate([potential[:, 1:], np.zeros((len(potential), 1))], axis=1)
        return DISCOUNT * after - potential

    def distance(self, first: np.ndarray, second: np.ndarray) -> float:
        return shaping_invariant_distance(first, second, self.observations, self.absorbing, DISCOUNT)


def test_scale_and_shaping_do_not_matter() -> None:
    walk = Walk()
    reward = walk.reward()
    assert walk.distance(reward, 3.0 * reward + 2.0 + walk.shaping()) == pytest.approx(0.0, abs=1e-5)


def test_correlation_step_by_step_would_be_misled_by_shaping() -> None:
    walk = Walk()
    reward = walk.reward()
    shaped = reward + walk.shaping()
    assert np.corrcoef(reward.ravel(), shaped.ravel())[0, 1] < 0.5


def test_opposites_are_furthest_apart() -> None:
    walk = Walk()
    reward = walk.reward()
    assert walk.distance(reward, walk.shaping() - reward) == pytest.approx(1.0, abs=1e-5)


def test_rewards_that_have_nothing_in_common() -> None:
    walk = Walk(segments=300)
    assert walk.distance(walk.reward(), walk.reward()) == pytest.approx(math.sqrt(0.5), abs=0.03)


def test_nothing_is_said_of_a_reward_that_only_shapes() -> None:
    walk = Walk()
    assert math.isnan(walk.distance(walk.reward(), walk.shaping()))


def test_too_few_steps_say_nothing() -> None:
    walk = Walk(segments=2)
    assert math.isnan(walk.distance(walk.reward(), walk.reward()))


def test_rewards_of_different_steps_are_refused() -> None:
    walk = Walk()
    with pytest.raises(ShapeError, match="second"):
        walk.distance(walk.reward(), walk.reward()[:, :-1])
