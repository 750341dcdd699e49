import math

import numpy as np
import pytest

from rlhf.evaluation.agreement import foresight, krippendorff_alpha, preference_accuracy, rank_correlation
from rlhf.reward.fit import accuracy


def test_predictions_on_the_side_of_the_answer_are_right() -> None:
    predicted, target = np.array([0.9, 0.4, 0.6, 0.2]), np.array([1.0, 0.0, 0.0, 1.0])
    assert preference_accuracy(predicted, target) == 0.5


def test_ties_are_left_out_and_undecided_predictions_count_half() -> None:
    predicted, target = np.array([0.9, 0.5, 0.7]), np.array([1.0, 0.0, 0.5])
    assert preference_accuracy(predicted, target) == 0.75


def test_only_ties_have_no_accuracy() -> None:
    assert math.isnan(preference_accuracy(np.array([0.9]), np.array([0.5])))


def test_accuracy_means_the_same_in_a_fit_and_in_a_report() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.choice([0.0, 0.3, 0.5, 0.8], 200).astype(np.float32)
    target = rng.choice([0.0, 0.5, 1.0], 200).astype(np.float32)
    assert accuracy(predicted, target) == preference_accuracy(
        predicted.astype(np.float64), target.astype(np.float64)
    )


def test_any_rising_relation_has_rank_correlation_one() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)


def test_ties_share_their_mean_rank() -> None:
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    found = rank_correlation(np.array([0.0, 5.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found == pytest.approx(4.5 / math.sqrt(22.5))


def test_constant_values_have_no_rank_correlation() -> None:
    assert math.isnan(rank_correlation(np.zeros(4), np.arange(4.0)))


def test_alpha_of_a_worked_example() -> None:
    """Three people and fifteen units, as computed step by step in Wikipedia's article on the measure."""
    said = [
        [0, 0, 0, 0, 0, 3, 4, 1, 2, 1, 1, 3, 3, 0, 3],
        [1, 0, 2, 1, 3, 3, 4, 3, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 2, 1, 3, 4, 4, 0, 2, 1, 1, 3, 3, 0, 4],
    ]
    counts = np.stack([np.bincount(unit, minlength=5)[1:] for unit in np.array(said).T])  # 0: said nothing
    assert krippendorff_alpha(counts) == pytest.approx(0.691, abs=5e-4)


def test_alpha_is_one_in_agreement_and_below_zero_in_contradiction() -> None:
    assert krippendorff_alpha(np.array([[2, 0], [0, 3], [2, 0]])) == 1.0
    assert krippendorff_alpha(np.array([[1, 1], [1, 1]])) < 0.0


def test_alpha_of_chance_is_about_zero() -> None:
    said = np.random.default_rng(0).integers(0, 2, (2000, 3))
    assert abs(krippendorff_alpha(np.stack([(said == c).sum(axis=1) for c in (0, 1)], axis=1))) < 0.05


@pytest.mark.parametrize("counts", [np.zeros((0, 2), np.int64), np.array([[1, 0]]), np.array([[2, 0]])])
def test_without_overlap_or_variety_there_is_no_alpha(counts: np.ndarray) -> None:
    assert math.isnan(krippendorff_alpha(counts))


def test_foresight_of_calibrated_predictions_is_standard_normal() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.1, 0.9, (4000, 20))
    target = (rng.random(predicted.shape) < predicted).astype(np.float64)
    found = [foresight(*answers) for answers in zip(predicted, target, strict=True)]
    assert abs(np.mean(found)) < 0.06
    assert abs(np.std(found) - 1.0) < 0.06


def test_sure_predictions_weigh_most_in_foresight() -> None:
    predicted = np.repeat([0.9, 0.6], 10)
    assert foresight(predicted, np.repeat([0.0, 1.0], 10)) < -5.0
    assert abs(foresight(predicted, np.repeat([1.0, 0.0], 10))) < 1.0
    assert foresight(np.full(20, 0.5), np.zeros(20)) == 0.0


def test_one_mistake_against_a_sure_prediction_is_no_surprise() -> None:
    target = np.ones(20)
    target[3] = 0.0
    assert foresight(np.full(20, 0.9999), target) > 0.0


def test_foresight_leaves_out_ties() -> None:
    assert foresight(np.array([0.9, 0.1, 0.7]), np.array([1.0, 0.5, 0.5])) == foresight(
        np.array([0.9]), np.array([1.0])
    )
    assert foresight(np.array([0.9]), np.array([0.5])) == 0.0
