import numpy as np
import pytest

from rlhf.evaluation.reward_drift import diverges, share_above, spread_limit

RISING = [0.0, 0.3, 0.6, 0.9, 1.2, 1.5]


def test_a_mean_that_rises_without_its_lower_bound_diverges() -> None:
    assert diverges(RISING, [0.0] * 6, updates=5, rise=1.0)


def test_a_lower_bound_that_rises_too_is_progress() -> None:
    assert not diverges(RISING, [value / 10 for value in RISING], updates=5, rise=1.0)


def test_a_small_rise_is_not_looked_at() -> None:
    assert not diverges(RISING, [0.0] * 6, updates=5, rise=1.5)


def test_too_few_updates_say_nothing() -> None:
    assert not diverges(RISING[1:], [0.0] * 5, updates=5, rise=1.0)


def test_a_tenth_of_what_sets_a_ninetieth_percentile_is_above_it() -> None:
    spread = np.arange(1000, dtype=np.float32)
    assert share_above(spread, spread_limit(spread, 90.0)) == pytest.approx(0.1)
