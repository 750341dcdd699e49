import numpy as np
import pytest

from rlhf.evaluation.statistics import (
    bootstrap_interval,
    difference_interval,
    error_of_difference,
    interquartile_mean,
    probability_of_winning,
    rolling_share,
    wilson_interval,
)


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


def test_wilson_interval_of_nine_in_ten() -> None:
    # z = 1.96, z^2 / n = .3841: centre (.9 + .1921) / 1.3841 = .7890,
    # half 1.96 / 1.3841 * sqrt(.09 / 10 + .3841 / 40) = .1932
    assert wilson_interval(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-3)


def test_wilson_interval_of_nothing_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_chance_to_win_from_a_uniform_prior() -> None:
    # Beta(1, 1): 1/2.  Beta(1, 3): P(p > 1/2) = (1/2)^3.  Beta(2, 1): 1 - (1/2)^2
    assert probability_of_winning(0, 0) == 0.5
    assert probability_of_winning(0, 2) == 0.125
    assert probability_of_winning(1, 0) == 0.75


def test_chances_of_both_sides_add_up_to_one() -> None:
    assert probability_of_winning(3, 5) + probability_of_winning(5, 3) == pytest.approx(1.0)


def test_difference_of_two_shares_as_published() -> None:
    # Newcombe 1998, table II, contrast (a): 56 of 70 less 48 of 80 by method 10
    assert difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_difference_with_nothing_can_be_anything() -> None:
    assert difference_interval(3, 4, 0, 0) == (-1.0, 1.0)


def test_a_rolling_share_is_of_the_latest_outcomes() -> None:
    share, low, high = rolling_share(np.array([1.0, 1.0, 0.0, 0.5, 0.0]), 3)
    np.testing.assert_allclose(share, [1.0, 1.0, 2 / 3, 0.5, 0.5 / 3])
    assert (low[2], high[2]) == wilson_interval(2.0, 3)
    assert (low[4], high[4]) == wilson_interval(0.5, 3)


def test_a_rolling_share_of_nothing_is_empty() -> None:
    assert [len(part) for part in rolling_share(np.empty(0), 3)] == [0, 0, 0]


def test_error_of_a_difference_is_what_means_of_drawn_samples_differ_by() -> None:
    rng = np.random.default_rng(0)
    values, others = rng.normal(0, 3, (8, 20_000)), rng.normal(1, 2, (5, 20_000))
    spread = (values.mean(0) - others.mean(0)).std()
    errors = error_of_difference(values, others)
    assert errors.shape == (20_000,)
    assert np.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.02)


def test_nothing_is_known_of_how_far_a_single_value_may_be_off() -> None:
    assert np.isinf(error_of_difference(np.ones((1, 2)), np.ones((9, 2)))).all()
    assert np.isinf(error_of_difference(np.ones(9), np.ones(1)))
