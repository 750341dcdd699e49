"""Answers -> what is known of those who gave them: reliability, side bias, widths of ties and of doubt.

Expectation-maximisation: the chance that an answer was meant, not random (E), then a Newton step of every
annotator's two numbers (M), under priors that let somebody new start as an ordinary annotator. Returns must
come from models that did not train on the answers they are held against: a model agrees with whatever it
has learned by heart, also with a coin. Pure numpy.
"""

import dataclasses

import numpy as np

from rlhf.reward.answer_model import (
    AnswerModel,
    answer_terms,
    comparison_terms,
    intervals,
    ordinary,
    place_pairs,
    ranking_terms,
)
from rlhf.reward.linear import Directions, fit_linear
from rlhf.types.experience import Bool, Float32, Float64
from rlhf.types.feedback import PreferenceData, Strength

_PRIOR_SD = 0.5
"""Of the logarithm of rationality, and of the side bias in logits."""
_WIDTH_PRIOR = (np.log(0.5), 1.0)
"""Mean and standard deviation of the logarithm of a width."""
_STEPS = 15
_STEPS_PER_WIDTH = 4
"""Widths hardly depend on the annotators and are looked for less often."""
_ROUNDS = 3
_WIDTHS = np.geomspace(0.01, 8.0, 60)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOutReturns:
    """Returns in logits as predicted by models that did not train on the answer in question."""

    differences: Float64
    """(Q,), first less second."""
    ranked: Float64
    """(G, K), by place."""
    is_known: Bool
    """(Q + G,), whether any model held the answer out."""


def held_out_returns(returns: Float64, data: PreferenceData, is_held_out: Bool) -> HeldOutReturns:
    """Return each answer's mean predictions by those of N models that held it out.

    Args:
        returns: segment returns by every model, (N, S).
        data: the answers.
        is_held_out: whether a model did not train on an answer, (N, A).
    """
    counts = is_held_out.sum(axis=0)
    share = is_held_out / np.maximum(counts, 1)
    pairs = len(data.first)
    return HeldOutReturns(
        differences=(share[:, :pairs] * (returns[:, data.first] - returns[:, data.second])).sum(axis=0),
        ranked=np.einsum("ng,ngk->gk", share[:, pairs:], returns[:, data.rankings.order]),
        is_known=counts > 0,
    )


def estimate(held_out: HeldOutReturns, data: PreferenceData, noise: float) -> AnswerModel:
    """Return the most probable answer model given held-out returns.

    Only the annotators' reliability relative to each other is estimated: a common factor belongs to the
    returns. Weights say how much people have a say in what is common to all; what somebody is like is
    estimated from all of their own answers, or whoever counts little could never show that they improved.
    """
    counts = np.bincount(data.annotator_of, data.weight_of, data.num_annotators).astype(np.float64)
    model = ordinary(data, noise)
    for step in range(_STEPS):
        if step % _STEPS_PER_WIDTH == 0:
            model = _with_widths(model, held_out, data)
        model = _with_annotators(model, held_out, data, counts)
    mean = np.average(np.log(model.rationality), weights=counts)
    return dataclasses.replace(model, rationality=model.rationality * np.exp(-mean))


def learn_annotators(
    inputs: Directions, data: PreferenceData, noise: float, ridge: float, weights: Float32
) -> tuple[AnswerModel, float]:
    """Return the answer model found in turns with a linear reward, and its held-out log-likelihood.

    Args:
        inputs: the linear reward's inputs.
        data: the answers.
        noise: share of random answers.
        ridge: penalty of the linear reward.
        weights: which answers each of N fits may see, (N, A); zero holds an answer out.
    """
    model = ordinary(data, noise)
    solved: Float64 | None = None
    is_held_out = weights == 0
    for _ in range(_ROUNDS):
        solved = fit_linear(inputs.values, data, model, weights, np.array([ridge]), solved, inputs.started)
        returns = inputs.returns(solved[:, 0])
        model = estimate(held_out_returns(returns, data, is_held_out), data, noise)
    log_prob = answer_terms(returns, data, model).log_prob
    counted = is_held_out * data.weight_of
    return model, float((log_prob * counted).sum() / max(1.0, counted.sum()))


def standard_errors(model: AnswerModel, held_out: HeldOutReturns, data: PreferenceData) -> Float64:
    """Return how well known every annotator's log rationality and side bias are, (A, 2).

    From the curvature of likelihood and prior at the estimate (Laplace's approximation).
    """
    _, bend = _slopes(model, held_out, data)
    covariance = np.linalg.inv(bend + np.eye(2) / _PRIOR_SD**2)
    return np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))


def _with_annotators(
    model: AnswerModel, held_out: HeldOutReturns, data: PreferenceData, counts: Float64
) -> AnswerModel:
    """Return the model after one Newton step of every annotator's log rationality and side bias."""
    gradient, bend = _slopes(model, held_out, data)
    log_rationality = np.log(model.rationality)
    common = np.average(log_rationality, weights=counts)  # the prior is about differences between people
    precision = 1.0 / _PRIOR_SD**2
    gradient -= precision * np.stack([log_rationality - common, model.side_bias], axis=-1)
    bend += precision * np.eye(2)
    change = np.clip(np.linalg.solve(bend, gradient[..., None])[..., 0], -0.5, 0.5)
    # what all have in common is free of the prior, so it gets a step of its own
    shared = float(np.clip(gradient[:, 0].sum() / bend[:, 0, 0].sum(), -0.5, 0.5))
    return dataclasses.replace(
        model,
        rationality=np.exp(np.clip(log_rationality + change[:, 0] + shared, -5.0, 5.0)),
        side_bias=model.side_bias + change[:, 1],
    )


def _slopes(model: AnswerModel, held_out: HeldOutReturns, data: PreferenceData) -> tuple[Float64, Float64]:
    """Return the log-likelihood's slopes by log rationality and side bias (A, 2) and curvatures (A, 2, 2)."""
    pairs, annotators = len(data.first), data.num_annotators
    rationality = model.rationality
    terms = comparison_terms(held_out.differences, intervals(data, model))
    known = held_out.is_known[:pairs].astype(np.float64)
    score, information = known * terms.score, known * terms.information
    of_pair = rationality[data.annotator]

    def total(values: Float64) -> Float64:
        return np.bincount(data.annotator, values, annotators).astype(np.float64)

    gradient = np.stack([total(score * held_out.differences), total(score / of_pair)], axis=-1)
    cross = total(information * held_out.differences / of_pair)
    bend = np.stack([total(information * held_out.differences**2), cross, cross], axis=-1)
    bend = np.concatenate([bend, total(information / of_pair**2)[:, None]], axis=-1).reshape(-1, 2, 2)
    if len(data.rankings):
        ranked = ranking_terms(held_out.ranked, data.rankings, model)
        better, worse = place_pairs(held_out.ranked.shape[1])
        gaps = held_out.ranked[:, better] - held_out.ranked[:, worse]
        who, sees = data.rankings.annotator, held_out.is_known[pairs:]
        gradient[:, 0] += np.bincount(who, sees * (ranked.score * gaps).sum(axis=1), annotators)
        bend[:, 0, 0] += np.bincount(who, sees * (ranked.information * gaps**2).sum(axis=1), annotators)
    return gradient, bend


def _with_widths(model: AnswerModel, held_out: HeldOutReturns, data: PreferenceData) -> AnswerModel:
    """Return the model with the most probable width of ties, then of slight preferences."""
    has_strength = bool((data.strength != Strength.UNSAID).any())
    gap = model.clear_width - model.tie_width
    if data.is_tie.any():
        model = _best(
            [dataclasses.replace(model, tie_width=w, clear_width=w + gap) for w in _WIDTHS.tolist()],
            held_out,
            data,
        )
    if has_strength:
        model = _best(
            [dataclasses.replace(model, clear_width=model.tie_width + w) for w in _WIDTHS.tolist()],
            held_out,
            data,
        )
    return model


def _best(models: list[AnswerModel], held_out: HeldOutReturns, data: PreferenceData) -> AnswerModel:
    """Return the most probable of the models, one for each of ``_WIDTHS``."""
    known = held_out.is_known[: len(data.first)] * data.weight_of[: len(data.first)]
    log_probs = [
        comparison_terms(held_out.differences, intervals(data, model)).log_prob @ known for model in models
    ]
    mean, sd = _WIDTH_PRIOR
    return models[int(np.argmax(log_probs - 0.5 * ((np.log(_WIDTHS) - mean) / sd) ** 2))]
