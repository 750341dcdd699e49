"""Linear rewards in which few inputs matter: each weight has a spread of its own, learned from the answers.

People judge by a few things; a ridge, which holds all weights alike, spreads what they said over everything
that goes along with those. Here the prior of each weight is N(0, sd_p^2), and its spread is learned by
expectation-maximisation of the answers' likelihood:

    sd_p^2  <-  E[w_p^2]  =  w_p^2 + Var[w_p]

with the posterior taken as normal about its mode (Laplace's approximation). Weights that explain nothing get
ever smaller spreads and vanish; a weight that no answer speaks of keeps its spread, so that nothing is ruled
out unseen. Spreads start as a ridge has them, so the first pass is that ridge, and how many passes are best
is for held-out answers to say. Pure numpy.

Source: Tipping 2001, "Sparse Bayesian learning and the relevance vector machine", JMLR 1, sec. 3 and
appendix A.1 (expectation-maximisation). Differs: passes are few and counted, where it goes on to the end; the
inputs are features, not kernels; answers may be mistaken, tied or ranked (``answer_model``).
"""

import numpy as np

from rlhf.reward.answer_model import AnswerModel, answer_terms, rows
from rlhf.reward.linear import Directions, WeightPrior, directions, fit_linear
from rlhf.types.experience import Float32, Float64
from rlhf.types.feedback import PreferenceData

_LARGEST_SD = 10.0
"""In logits per typical difference of two compared segments; where answers can all be explained, spreads
would grow for ever."""
_NEGLIGIBLE = 1e-3
"""Share of the largest spread below which a weight is left at zero."""
_STEPS = 3
"""Newton's steps in a pass, each from where the one before ended."""
_LARGEST_STEP = 3.0
"""No lead moves further in a step, in logits."""


def relevance_path(
    means: Float64,
    inputs: Directions,
    data: PreferenceData,
    model: AnswerModel,
    weights: Float32,
    ridge: float,
    passes: int,
) -> tuple[Float64, Float64]:
    """Return the weights after each pass, (E, N, P), and the spreads after the last, (N, P).

    Both are of the mean inputs times ``inputs.gain``, as ``Directions.weights`` gives them.

    Args:
        means: mean inputs of the segments, (S, P).
        inputs: where the weights start, and how far each may move at first beside the others.
        data: the answers.
        model: how they were given.
        weights: how often each answer counts, (N, A); zero leaves it out.
        ridge: penalty that holds them before they learn their own.
        passes: E, at least 1.
    """
    path = np.zeros((passes, len(weights), means.shape[1]))
    spreads = np.empty((len(weights), means.shape[1]))
    scaled, spread = inputs.gain * means, inputs.scale / np.sqrt(ridge)
    for one, counts in enumerate(weights.astype(np.float64)):
        path[:, one], spreads[one] = _one_path(scaled, inputs, data, model, counts, spread, passes)
    return inputs.start + path, spreads


def solve(
    means: Float64,
    inputs: Directions,
    data: PreferenceData,
    model: AnswerModel,
    weights: Float32,
    *,
    ridge: float,
    passes: int,
) -> Float64:
    """Return the weights (N, P) of mean inputs (S, P) times ``inputs.gain``, for N weightings of the answers.

    Args:
        means: the mean inputs.
        inputs: what they are solved in.
        data: the answers.
        model: how they were given.
        weights: how often each answer counts, (N, A).
        ridge: penalty.
        passes: in which each weight learns its own; 0: the ridge holds them all.
    """
    if passes:
        return np.asarray(relevance_path(means, inputs, data, model, weights, ridge, passes)[0][-1])
    solved = fit_linear(inputs.values, data, model, weights, np.array([ridge]), offset=inputs.started)
    return inputs.weights(solved[:, 0])


def relevant_directions(
    means: Float64, inputs: Directions, data: PreferenceData, model: AnswerModel, ridge: float, passes: int
) -> Directions:
    """Return the mean inputs (S, P) so scaled that a ridge of 1 holds each weight as it has learned to be."""
    _, spreads = relevance_path(means, inputs, data, model, data.weight_of[None], ridge, passes)
    sd = inputs.gain * np.maximum(spreads[0], _NEGLIGIBLE**2)
    prior = WeightPrior(mean=inputs.gain * inputs.start, sd=sd, largest=inputs.gain * _LARGEST_SD)
    return directions(means, data, prior)


def _one_path(
    inputs: Float64,
    start: Directions,
    data: PreferenceData,
    model: AnswerModel,
    weights: Float64,
    spread: Float64,
    passes: int,
) -> tuple[Float64, Float64]:
    """Return what departs from the start, (E, P), and the spreads, (P,), for one weighting of the answers."""
    first, second, answer = rows(data)
    counts = weights[answer]
    differences = inputs[first] - inputs[second]
    solved, largest = np.zeros_like(spread), np.maximum(spread, _LARGEST_SD)
    path = np.zeros((passes, len(spread)))
    for number in range(passes):
        kept = spread > _NEGLIGIBLE * spread.max()
        scaled = differences[:, kept] * spread[kept]
        inside = solved[kept] / spread[kept]
        for _ in range(_STEPS):
            terms = answer_terms(start.started + inputs[:, kept] @ (spread[kept] * inside), data, model)
            gradient = scaled.T @ (counts * terms.score) - inside
            change, variance = _solve(scaled * np.sqrt(counts * terms.information)[:, None], gradient)
            inside += change / max(1.0, np.abs(scaled @ change).max() / _LARGEST_STEP)
        solved = path[number]
        solved[kept] = spread[kept] * inside
        renewed = np.zeros_like(spread)
        renewed[kept] = spread[kept] * np.sqrt(inside**2 + variance)
        spread = np.minimum(renewed, largest)
    return path, spread


def _solve(rows_: Float64, gradient: Float64) -> tuple[Float64, Float64]:
    """Return H^-1 g (P,) and the diagonal of H^-1 (P,), where H = I + rows^T rows; rows are (R, P).

    By the smaller of two matrices: with fewer rows than columns  H^-1 = I - rows^T (I + rows rows^T)^-1 rows.
    """
    if len(rows_) < rows_.shape[1]:
        half = np.linalg.solve(np.eye(len(rows_)) + rows_ @ rows_.T, rows_)
        return gradient - half.T @ (rows_ @ gradient), 1.0 - np.einsum("rp,rp->p", rows_, half)
    inverse = np.linalg.inv(np.eye(rows_.shape[1]) + rows_.T @ rows_)
    return inverse @ gradient, np.diagonal(inverse).copy()
