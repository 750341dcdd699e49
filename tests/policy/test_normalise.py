import numpy as np
import pytest

from rlhf.policy.normalise import ObservationNormaliser, ReturnNormaliser
from rlhf.types.experience import Float32


def test_statistics_of_batches_equal_those_of_all_observations_together() -> None:
    rng = np.random.default_rng(0)
    observations = (rng.normal(size=(90, 3)) * [1.0, 5.0, 0.1] + [100.0, 0.0, -3.0]).astype(np.float32)
    normaliser = ObservationNormaliser(3, clip=10.0)
    for batch in np.split(observations, [7, 40]):
        normaliser.update(batch)
    expected = (observations - observations.mean(axis=0)) / observations.std(axis=0)
    np.testing.assert_allclose(normaliser(observations), expected, atol=1e-3)


def test_observations_pass_unchanged_before_the_first_update() -> None:
    observations = np.array([[1.0, -2.0]], np.float32)
    np.testing.assert_array_equal(ObservationNormaliser(2, clip=10.0)(observations), observations)


def test_normalised_observations_are_clipped() -> None:
    normaliser = ObservationNormaliser(1, clip=2.0)
    np.testing.assert_array_equal(normaliser(np.array([[-50.0], [50.0]], np.float32)), [[-2.0], [2.0]])


def test_an_observation_that_never_moves_becomes_zero() -> None:
    normaliser = ObservationNormaliser(1, clip=10.0)
    normaliser.update(np.full((50, 1), 3.0, np.float32))
    np.testing.assert_array_equal(normaliser(np.array([[3.0]], np.float32)), [[0.0]])


def test_shift_and_scale_change_in_place() -> None:
    normaliser = ObservationNormaliser(1, clip=10.0)
    shift = normaliser.shift
    normaliser.update(np.array([[2.0], [4.0]], np.float32))
    np.testing.assert_array_equal(shift, [3.0])


def outputs(normaliser: ReturnNormaliser, hidden: Float32, weight: Float32, bias: Float32) -> Float32:
    return normaliser.unnormalise(hidden @ weight + bias)


def test_unnormalised_outputs_survive_every_change_of_scale_after_the_first() -> None:
    rng = np.random.default_rng(1)
    hidden, weight = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(4, 1)).astype(np.float32)
    bias = np.array([0.3], np.float32)
    normaliser = ReturnNormaliser(rate=0.1)
    normaliser.update(rng.normal(size=(30, 2)).astype(np.float32), weight, bias)
    before = outputs(normaliser, hidden, weight, bias)
    for scale, centre in ((5.0, 40.0), (0.2, -3.0)):
        normaliser.update((rng.normal(size=(30, 2)) * scale + centre).astype(np.float32), weight, bias)
        np.testing.assert_allclose(outputs(normaliser, hidden, weight, bias), before, rtol=1e-4, atol=1e-4)


def test_the_first_batch_and_a_restart_set_the_scale_and_keep_the_layer() -> None:
    normaliser, weight, bias = (
        ReturnNormaliser(rate=0.1),
        np.ones((1, 1), np.float32),
        np.zeros(1, np.float32),
    )
    normaliser.update(np.array([8.0, 12.0], np.float32), weight, bias)
    assert (normaliser.mean, normaliser.sd) == pytest.approx((10.0, 2.0))
    normaliser.restart(np.array([-1.0, 1.0], np.float32))
    assert (normaliser.mean, normaliser.sd) == pytest.approx((0.0, 1.0))
    assert (weight.item(), bias.item()) == (1.0, 0.0)


def test_later_batches_count_by_the_rate() -> None:
    normaliser, weight, bias = (
        ReturnNormaliser(rate=0.5),
        np.ones((1, 1), np.float32),
        np.zeros(1, np.float32),
    )
    for level in (0.0, 0.0, 0.0, 8.0):
        normaliser.update(np.array([level - 1, level + 1], np.float32), weight, bias)
    assert normaliser.mean == pytest.approx(4.0)


def test_normalise_and_unnormalise_are_inverses() -> None:
    normaliser, weight, bias = (
        ReturnNormaliser(rate=0.5),
        np.ones((1, 1), np.float32),
        np.zeros(1, np.float32),
    )
    returns = np.array([3.0, 5.0, -8.0], np.float32)
    normaliser.update(returns, weight, bias)
    np.testing.assert_allclose(normaliser.unnormalise(normaliser.normalise(returns)), returns, rtol=1e-6)


def test_returns_that_do_not_vary_stay_finite() -> None:
    normaliser, weight, bias = (
        ReturnNormaliser(rate=0.5),
        np.ones((1, 1), np.float32),
        np.zeros(1, np.float32),
    )
    normaliser.update(np.zeros(5, np.float32), weight, bias)
    assert np.isfinite(normaliser.normalise(np.zeros(5, np.float32))).all()
