import numpy as np
import pytest

from rlhf.evaluation.statistics import bootstrap_interval, interquartile_mean


def test_interquartile_mean_leaves_out_a_quarter_at_both_ends() -> None:
    assert interquartile_mean(np.array([1000.0, 1.0, 2.0, 3.0, -1000.0])) == 2.0
    assert interquartile_mean(np.array([4.0, 8.0, 1.0, 100.0, 2.0, 3.0, 5.0, -50.0])) == 3.5


def test_interquartile_mean_of_three_values_is_their_mean() -> None:
    assert interquartile_mean(np.array([1.0, 2.0, 6.0])) == 3.0


def test_interquartile_mean_needs_values() -> None:
    with pytest.raises(ValueError, match="no values"):
        interquartile_mean(np.array([]))


def test_interval_of_equal_seeds_is_a_point_although_tasks_differ() -> None:
    """Resampling never mixes the tasks."""
    strata = [np.full(5, 0.2), np.full(5, 0.8)]
    assert bootstrap_interval(strata, interquartile_mean, np.random.default_rng(0)) == (0.5, 0.5)


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        values = rng.normal(size=30)
        low, high = bootstrap_interval([values], lambda v: float(v.mean()), rng, num_resamples=300)
        covered += low <= 0.0 <= high
    assert 0.89 <= covered / 200 <= 0.98


def test_an_empty_stratum_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([np.ones(2), np.array([])], interquartile_mean, np.random.default_rng(0))
