import numpy as np
import pytest

from rlhf.reward.linear import RIDGES, fit_linear


def problem(count: int, width: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.array([2.0, -1.0, 0.0, *[0.0] * (width - 3)])
    differences = rng.normal(size=(count, width))
    prob = 0.9 / (1.0 + np.exp(-differences @ truth)) + 0.05
    return truth, differences, (rng.random(count) < prob).astype(np.float32)


def test_many_answers_give_back_the_true_weights() -> None:
    truth, differences, answers = problem(20_000)
    weights = np.random.default_rng(1).poisson(1.0, (2, 20_000)).astype(np.float32)
    fit = fit_linear(differences, answers, weights, noise=0.1, holds_out=True)
    np.testing.assert_allclose(fit.coefficients, np.tile(truth, (2, 1)), atol=0.2)


def test_solution_is_a_stationary_point() -> None:
    _, differences, answers = problem(200)
    fit = fit_linear(differences, answers, np.ones((1, 200), np.float32), noise=0.0, holds_out=False)
    # without noise the gradient is X^T (y - p) - ridge * w, and the ridge without held-out answers is 1
    prob = 1.0 / (1.0 + np.exp(-differences @ fit.coefficients[0]))
    np.testing.assert_allclose(differences.T @ (answers - prob), fit.ridge * fit.coefficients[0], atol=1e-2)


def test_useless_answers_choose_a_strong_ridge() -> None:
    _, differences, _ = problem(100, width=20)
    answers = np.random.default_rng(3).integers(0, 2, 100).astype(np.float32)
    weights = np.random.default_rng(1).poisson(1.0, (5, 100)).astype(np.float32)
    assert fit_linear(differences, answers, weights, noise=0.1, holds_out=True).ridge >= RIDGES[-2]


def test_separable_answers_stay_finite() -> None:
    differences = np.array([[1.0], [2.0], [-1.0], [1e-3]])
    answers = np.array([1.0, 1.0, 0.0, 1.0], np.float32)
    fit = fit_linear(differences, answers, np.ones((1, 4), np.float32), noise=0.0, holds_out=False)
    assert 0.0 < fit.coefficients[0, 0] < 10.0


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_zero_weight_answers_are_ignored(noise: float) -> None:
    _, differences, answers = problem(60)
    weights = np.ones((1, 60), np.float32)
    weights[:, 40:] = 0.0
    whole = fit_linear(differences, answers, weights, noise=noise, holds_out=False)
    part = fit_linear(differences[:40], answers[:40], weights[:, :40], noise=noise, holds_out=False)
    np.testing.assert_allclose(whole.coefficients, part.coefficients, atol=1e-3)
