"""What is new is worth more than what was seen."""

import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.reward.novelty import NEIGHBOUR, novelty


def test_it_is_the_distance_to_a_near_neighbour_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    seen = (rng.normal(size=(40, 3)) * (1.0, 10.0, 0.1) + (5.0, 0.0, -2.0)).astype(np.float32)
    asked = (rng.normal(size=(2, 4, 3)) * (3.0, 9.0, 0.2)).astype(np.float32)
    expected = np.empty((2, 4))
    for index in np.ndindex(2, 4):
        distances = [np.linalg.norm((asked[index] - one) / seen.std(axis=0)) for one in seen]
        expected[index] = np.log(1.0 + sorted(distances)[NEIGHBOUR - 1])
    np.testing.assert_allclose(novelty(asked, seen), expected, rtol=1e-4)


def test_what_was_seen_often_is_worth_nothing_and_what_is_far_most() -> None:
    seen = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]], np.float32), 50, axis=0)
    old, near, far = novelty(np.array([[0.0, 0.0], [0.5, 0.5], [9.0, 9.0]], np.float32), seen)
    assert old == pytest.approx(0.0, abs=1e-2)
    assert old < near < far


def test_an_entry_that_never_changed_and_a_single_observation_are_borne() -> None:
    seen = np.zeros((1, 2), np.float32)
    assert np.isfinite(novelty(np.ones((3, 2), np.float32), seen)).all()


@pytest.mark.parametrize("seen", [np.zeros((0, 2), np.float32), np.zeros((9, 3), np.float32)])
def test_what_does_not_belong_together_is_refused(seen: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        novelty(np.zeros((4, 2), np.float32), seen)
