import numpy as np
import pytest

from rlhf.queries.diversity import (
    asked_before,
    clusters,
    describe_motion,
    distances_to_pair,
    k_centre,
    motion_names,
    nearest_of,
    standardise,
)


def test_motion_is_mean_spread_speed_net_change_and_share_of_the_end() -> None:
    # 0, 2, 4, 4: mean 2.5, squares of deviations 6.25 + .25 + 2.25 + 2.25 = 11, so spread sqrt(11 / 4);
    # changes 2, 2, 0: mean 4/3, spread sqrt(8 / 9)
    observations = np.array([[0.0], [2.0], [4.0], [4.0]], np.float32)
    expected = [2.5, (11 / 4) ** 0.5, (8 / 9) ** 0.5, 4.0, 1 / 3]
    np.testing.assert_allclose(
        describe_motion(observations, np.array([False, False, True])), expected, rtol=1e-6
    )


def test_distances_are_root_mean_squares_in_standard_deviations() -> None:
    # both columns have rows -1 and 1 in standard units, 2 apart
    first, second = standardise(np.array([[0.0, 10.0], [2.0, 50.0]], np.float32))
    assert np.linalg.norm(first - second) == pytest.approx(2.0)


def test_constant_columns_are_left_at_zero() -> None:
    assert not standardise(np.ones((4, 3), np.float32)).any()


def test_cover_takes_one_of_each_cluster() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = (np.repeat(centres, 20, axis=0) + rng.normal(0, 0.1, (80, 2))).astype(np.float32)
    assert sorted(k_centre(points, 4, rng) // 20) == [0, 1, 2, 3]


def test_cover_of_identical_segments_picks_each_once() -> None:
    assert sorted(k_centre(np.zeros((5, 3), np.float32), 9, np.random.default_rng(0))) == [0, 1, 2, 3, 4]


def test_rarity_is_the_distance_to_the_nearest() -> None:
    line = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    np.testing.assert_allclose(nearest_of(line, line[:2]), [0.0, 0.0, 4.0], atol=1e-4)
    assert np.isinf(nearest_of(line, line[:0])).all()


def test_clusters_are_the_nearest_covering_segments() -> None:
    line = np.array([[0.0], [0.1], [10.0], [10.1]], dtype=np.float32)
    first, same, other, also = clusters(line, 2, np.random.default_rng(0))
    assert first == same != other == also


def test_pair_was_asked_before_if_both_clips_are_alike() -> None:
    line = np.array([[0.0], [0.05], [3.0], [3.05], [9.0]], dtype=np.float32)
    pairs, asked = np.array([[1, 3], [3, 1], [1, 4], [0, 1]]), np.array([[0, 2]])
    assert asked_before(line, pairs, asked, 0.1).tolist() == [True, True, False, False]


def test_nothing_was_asked_before_the_first_question() -> None:
    line = np.zeros((2, 1), np.float32)
    assert not asked_before(line, np.array([[0, 1]]), np.empty((0, 2), np.int64), 1.0).any()


def test_distance_of_questions_ignores_their_sides() -> None:
    line = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    first, second = np.array([0, 1, 0]), np.array([1, 0, 2])
    # from (0, 1): itself, itself swapped, and (0, 2), where one side is 4 away
    assert distances_to_pair(line, first, second, 0, 1) == pytest.approx([0.0, 0.0, 4.0])


def test_every_number_of_a_motion_has_a_name() -> None:
    motion = describe_motion(np.zeros((4, 3), np.float32), np.zeros(3, np.bool_))
    names = motion_names(("height", "speed", "angle"))
    assert len(names) == len(set(names)) == len(motion)
    assert (names[0], names[-1]) == ("height", "time after the end")
