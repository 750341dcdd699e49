import math

import numpy as np
import pytest
import torch

from rlhf.reward.bradley_terry import log_prob_first, negative_log_likelihood

RETURNS = torch.from_numpy(np.random.default_rng(0).normal(0, 5, (2, 4, 50)))


def test_golden_probability() -> None:
    # .9 * sigmoid(2) + .05 = .9 * .880797 + .05 = .842717
    log_prob = log_prob_first(torch.tensor(3.0), torch.tensor(1.0), 0.1)
    assert float(log_prob.exp()) == pytest.approx(0.842717, abs=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_probabilities_of_both_answers_add_to_one(noise: float) -> None:
    first, second = RETURNS
    total = log_prob_first(first, second, noise).exp() + log_prob_first(second, first, noise).exp()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_adding_a_constant_to_both_returns_changes_nothing() -> None:
    first, second = RETURNS
    torch.testing.assert_close(
        log_prob_first(first + 7.0, second + 7.0, 0.1), log_prob_first(first, second, 0.1)
    )


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("difference", [-1e4, -100.0, 100.0, 1e4])
def test_far_returns_have_finite_loss_and_bounded_gradient(noise: float, difference: float) -> None:
    returns = torch.tensor([[difference]], requires_grad=True)
    ones = torch.ones(1, 1)
    loss = negative_log_likelihood(returns, torch.zeros(1, 1), ones, ones, noise)
    (gradient,) = torch.autograd.grad(loss.sum(), returns)
    assert torch.isfinite(loss).all()
    assert 0.0 <= float(gradient.abs()) <= 1.0


def test_noise_takes_a_hopeless_answer_for_a_mistake() -> None:
    returns = torch.tensor([[-40.0]], requires_grad=True)
    ones = torch.ones(1, 1)
    loss = negative_log_likelihood(returns, torch.zeros(1, 1), ones, ones, 0.1)
    (gradient,) = torch.autograd.grad(loss.sum(), returns)
    assert loss.item() == pytest.approx(-math.log(0.05), abs=1e-5)
    assert float(gradient.abs()) < 1e-6


def test_loss_is_the_weighted_mean_per_member() -> None:
    # sigmoid(0) = .5 costs ln 2; sigmoid(ln 3) = .75, target .5 costs -(ln .75 + ln .25) / 2 = .836988
    first = torch.tensor([[0.0, math.log(3.0)]] * 3)
    weights = torch.tensor([[1.0, 0.0], [1.0, 3.0], [0.0, 0.0]])
    loss = negative_log_likelihood(first, torch.zeros(3, 2), torch.tensor([1.0, 0.5]), weights, 0.0)
    expected = [math.log(2.0), (math.log(2.0) + 3.0 * 0.836988) / 4.0, 0.0]
    torch.testing.assert_close(loss, torch.tensor(expected), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("noise", [-0.1, 1.0])
def test_noise_outside_its_range_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match="noise"):
        log_prob_first(torch.zeros(1), torch.zeros(1), noise)
