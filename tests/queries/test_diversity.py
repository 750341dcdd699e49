import numpy as np
import pytest

from rlhf.queries.diversity import distances_to_pair, k_centre, look_alike, summarise


def test_summary_is_mean_spread_and_change_in_standard_units() -> None:
    # segment A: 0, 0 (mean 0, spread 0, change 0); segment B: 0, 2 (mean 1, spread 1, change 2)
    features = np.array([[[0.0], [0.0]], [[0.0], [2.0]]], dtype=np.float32)
    np.testing.assert_allclose(summarise(features), [[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


def test_constant_features_are_left_at_zero() -> None:
    assert not summarise(np.ones((4, 3, 2), np.float32)).any()


def test_cover_takes_one_of_each_cluster() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = (np.repeat(centres, 20, axis=0) + rng.normal(0, 0.1, (80, 2))).astype(np.float32)
    assert sorted(k_centre(points, 4, rng) // 20) == [0, 1, 2, 3]


def test_cover_of_identical_segments_picks_each_once() -> None:
    assert sorted(k_centre(np.zeros((5, 3), np.float32), 9, np.random.default_rng(0))) == [0, 1, 2, 3, 4]


def test_look_alike_finds_the_nearest_pairs() -> None:
    line = np.arange(11, dtype=np.float32)[:, None]
    first, second = np.zeros(10, np.int64), np.arange(1, 11)
    assert look_alike(line, first, second, 20.0).sum() == 2


def test_identical_clips_look_alike_at_any_percentile() -> None:
    line = np.array([[1.0], [1.0], [2.0]], dtype=np.float32)
    assert look_alike(line, np.array([0, 0]), np.array([1, 2]), 0.0).tolist() == [True, False]


def test_distance_of_questions_ignores_their_sides() -> None:
    line = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    first, second = np.array([0, 1, 0]), np.array([1, 0, 2])
    # from (0, 1): itself, itself swapped, and (0, 2), where one side is 4 away
    assert distances_to_pair(line, first, second, 0, 1) == pytest.approx([0.0, 0.0, 4.0])
