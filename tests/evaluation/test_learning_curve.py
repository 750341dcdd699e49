import numpy as np

from rlhf.evaluation.learning_curve import MIN_PREDICTIONS, expected_gain


def predictions(slope: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``count`` predictions while answers come to 200: log-odds 2 of being right at the end."""
    known = np.linspace(10, 200, count).astype(np.int64)
    prob = 1.0 / (1.0 + np.exp(-(2.0 + slope * np.log(known / 200))))
    return known, np.random.default_rng(seed).random(count) < prob


def test_the_true_gain_is_in_the_interval() -> None:
    known, is_right = predictions(0.7, 5_000)
    found = expected_gain(known, is_right, 200)
    assert found is not None
    after = 1.0 / (1.0 + np.exp(-(2.0 + 0.7 * np.log(210 / 200))))
    truth = after - 1.0 / (1.0 + np.exp(-2.0))
    assert found.low < truth < found.high
    assert abs(found.value - truth) < 0.001


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = 1.0 / (1.0 + np.exp(-(2.0 + 0.3 * np.log(1.05)))) - 1.0 / (1.0 + np.exp(-2.0))
    found = [expected_gain(*predictions(0.3, 60, seed), 200) for seed in range(200)]
    assert np.mean([one.low < truth < one.high for one in found if one is not None]) > 0.9


def test_a_model_that_becomes_worse_is_expected_to() -> None:
    known, is_right = predictions(-0.7, 2_000)
    found = expected_gain(known, is_right, 200)
    assert found is not None
    assert found.high < 0.0


def test_few_predictions_say_nothing() -> None:
    known, is_right = predictions(0.5, MIN_PREDICTIONS - 1)
    assert expected_gain(known, is_right, 200) is None
