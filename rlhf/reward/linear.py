"""Ridge-penalised Bradley-Terry for rewards that are linear in their inputs: solved, not descended.

A segment's return is then a weighted sum of its mean inputs. The ridge is what keeps inputs in check
that hardly vary between whole segments (changes per step nearly cancel) and so could take any weight; a
step-size-normalising optimiser would amplify exactly those. Pure numpy.
"""

import dataclasses

import numpy as np

from rlhf.types.experience import Float32, Float64

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Candidate penalties. One for all members: each holds out too few answers to choose well on its own."""
_FALLBACK_RIDGE = 1.0
"""Used when no answers are held out: weights of about one logit per standard deviation are expected."""
_MAX_ITERATIONS = 30
_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearFit:
    """Weights of every member."""

    coefficients: Float64
    """(M, P), logits per unit of (scaled) input."""
    ridge: float
    """The penalty that was chosen."""
    iterations: int
    """Scoring steps taken."""


def fit_linear(
    differences: Float64, prob_first: Float32, weights: Float32, *, noise: float, holds_out: bool
) -> LinearFit:
    """Return each member's penalised maximum-likelihood weights, the penalty chosen out of bag.

    Fisher scoring on  sum_q w_q NLL_q + ridge / 2 * |coefficients|^2  for all members and ridges at once:
    with random answers in the likelihood the Hessian may be indefinite, the Fisher information never is.

    Args:
        differences: mean inputs of the first minus those of the second segment, (Q, P).
        prob_first: targets, (Q,).
        weights: bootstrap counts, (M, Q); zero means out of bag.
        noise: share of random answers, in [0, 1).
        holds_out: whether every member has out-of-bag answers to choose the ridge by.
    """
    ridges = np.array(RIDGES if holds_out else (_FALLBACK_RIDGE,))
    members, width = len(weights), differences.shape[1]
    coefficients = np.zeros((members, len(ridges), width))
    penalty = ridges[:, None, None] * np.eye(width)
    iterations, is_done = 0, False
    while not is_done and iterations < _MAX_ITERATIONS:
        iterations += 1
        prob, slope = _prob_and_slope(coefficients @ differences.T, noise)
        variance = prob * (1.0 - prob)
        score = weights[:, None] * slope * (prob_first - prob) / variance
        gradient = score @ differences - ridges[:, None] * coefficients
        information = np.einsum(
            "mkq,qi,qj->mkij", weights[:, None] * slope**2 / variance, differences, differences, optimize=True
        )
        change = np.linalg.solve(information + penalty, gradient[..., None])[..., 0]
        logit_change = np.abs(change @ differences.T).max(-1, keepdims=True)
        # a logit never moves by more than 3 at once: scoring overshoots where answers are separable
        coefficients += change / np.maximum(1.0, logit_change / 3.0)
        is_done = bool(logit_change.max() < _TOLERANCE)
    best = _best_ridge(coefficients @ differences.T, prob_first, weights, noise) if holds_out else 0
    return LinearFit(coefficients=coefficients[:, best], ridge=float(ridges[best]), iterations=iterations)


def _best_ridge(logits: Float64, prob_first: Float32, weights: Float32, noise: float) -> int:
    """Return the index of the ridge with the smallest out-of-bag loss over all members.

    ``logits`` are (M, K, Q) for K ridges.
    """
    prob, _ = _prob_and_slope(logits, noise)
    losses = -(prob_first * np.log(prob) + (1.0 - prob_first) * np.log1p(-prob))
    return int((losses * (weights == 0)[:, None]).sum(axis=(0, 2)).argmin())


def _prob_and_slope(logits: Float64, noise: float) -> tuple[Float64, Float64]:
    """Return P(first preferred) and its derivative by the logit."""
    rational = 0.5 * (1.0 + np.tanh(0.5 * np.clip(logits, -30.0, 30.0)))
    return (1.0 - noise) * rational + 0.5 * noise, (1.0 - noise) * rational * (1.0 - rational)
