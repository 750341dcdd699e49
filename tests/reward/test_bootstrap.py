import dataclasses

import numpy as np

from rlhf.reward.bootstrap import bootstrap_weights, holds_out
from rlhf.types.feedback import PreferenceData, Rankings


def comparisons(count: int, *, num_segments: int = 400) -> PreferenceData:
    pairs = np.arange(2 * count, dtype=np.int64) % num_segments
    return PreferenceData(
        features=np.zeros((num_segments, 2, 1), np.float32),
        first=pairs[::2],
        second=pairs[1::2],
        prob_first=np.ones(count, np.float32),
        annotator=np.zeros(count, np.int64),
    )


def test_bootstrap_leaves_about_one_in_e_out() -> None:
    weights = bootstrap_weights(comparisons(200), 50, np.random.default_rng(0))
    assert abs((weights == 0).mean() - np.exp(-1)) < 0.02
    assert abs(weights.mean() - 1.0) < 0.03


def test_every_member_keeps_an_answer() -> None:
    assert (bootstrap_weights(comparisons(10), 5000, np.random.default_rng(0)).sum(axis=1) >= 1).all()


def test_few_answers_are_all_used_by_every_member() -> None:
    weights = bootstrap_weights(comparisons(9), 20, np.random.default_rng(0))
    assert set(np.unique(weights)) == {1.0, 2.0}
    assert not holds_out(weights)


def test_repeated_answers_about_a_pair_stay_together() -> None:
    data = comparisons(40, num_segments=20)  # ten pairs, four answers each
    weights = bootstrap_weights(data, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, :10], weights[:, 30:])


def test_a_ranking_stays_with_another_of_the_same_segments() -> None:
    rankings = Rankings(
        order=np.array([[0, 1, 2], [2, 1, 0], [5, 6, -1]]),
        num_ranked=np.array([2, 1, 1]),
        annotator=np.zeros(3, np.int64),
    )
    data = dataclasses.replace(comparisons(40), rankings=rankings)
    weights = bootstrap_weights(data, 50, np.random.default_rng(0))
    assert weights.shape == (50, 43)
    np.testing.assert_array_equal(weights[:, 40], weights[:, 41])
    assert not np.array_equal(weights[:, 40], weights[:, 42])


def test_weights_scale_what_is_counted_and_hold_nothing_out() -> None:
    data = comparisons(40)
    plain = bootstrap_weights(data, 5, np.random.default_rng(0))
    weight = np.linspace(0.1, 1.0, 40).astype(np.float32)
    weighed = bootstrap_weights(dataclasses.replace(data, weight=weight), 5, np.random.default_rng(0))
    np.testing.assert_allclose(weighed, plain * weight)
