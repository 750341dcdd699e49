import dataclasses
import math

import numpy as np
import pytest
import torch
from synthetic_answers import Crowd, ask

from rlhf.reward.answer_model import answer_terms, ordinary
from rlhf.reward.bradley_terry import answer_log_prob, evidence
from rlhf.types.feedback import PreferenceData, Rankings


def mixed_answers() -> PreferenceData:
    ranked = Rankings(
        order=np.array([[0, 1, 2, 3], [4, 5, 6, -1], [1, 2, -1, -1]]),
        num_ranked=np.array([3, 1, 1]),
        annotator=np.zeros(3, np.int64),
    )
    data = ask(Crowd(tie_width=0.6, clear_width=1.8), 30, 0).data
    return dataclasses.replace(data, rankings=ranked)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_tensors_agree_with_arrays(noise: float) -> None:
    data = mixed_answers()
    model = dataclasses.replace(
        ordinary(data, noise), rationality=np.array([1.4]), side_bias=np.array([-0.3])
    )
    returns = np.random.default_rng(0).normal(0.0, 2.0, len(data.features))
    said = evidence(data, model)
    log_prob = answer_log_prob(torch.from_numpy(returns.astype(np.float32))[said.segments], said)
    np.testing.assert_allclose(log_prob, answer_terms(returns, data, model).log_prob, atol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_far_returns_have_finite_likelihood_and_bounded_gradient(noise: float, scale: float) -> None:
    data = mixed_answers()
    said = evidence(data, ordinary(data, noise))
    returns = (scale * torch.randn(len(data.features), generator=torch.Generator().manual_seed(0)))[
        said.segments
    ].requires_grad_()
    log_prob = answer_log_prob(returns, said)
    (gradient,) = torch.autograd.grad(log_prob.sum(), returns)
    assert torch.isfinite(log_prob).all()
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().max()) <= 3.0  # a ranking of four is three choices


def test_noise_takes_a_hopeless_answer_for_a_mistake() -> None:
    data = ask(Crowd(), 1, 0).data
    said = evidence(dataclasses.replace(data, prob_first=np.ones(1, np.float32)), ordinary(data, 0.1))
    returns = torch.tensor([[-40.0, 0.0]], requires_grad=True)
    log_prob = answer_log_prob(returns, said)
    (gradient,) = torch.autograd.grad(log_prob.sum(), returns)
    assert log_prob.item() == pytest.approx(math.log(0.05), abs=1e-5)
    assert float(gradient.abs().max()) < 1e-6


def test_answers_can_be_picked_in_any_shape() -> None:
    said = evidence(mixed_answers(), ordinary(mixed_answers(), 0.1))
    picked = said.at(torch.tensor([[3, 30], [31, 0]]))
    assert picked.segments.shape == (2, 2, 4)
    assert torch.equal(picked.segments[0, 1], said.segments[30])
