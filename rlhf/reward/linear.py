"""Ridge-penalised maximum likelihood for rewards that are linear in their inputs: solved, not descended.

A segment's return is then a weighted sum of its mean inputs. The ridge is what keeps inputs in check
that hardly vary between whole segments (changes per step nearly cancel) and so could take any weight; a
step-size-normalising optimiser would amplify exactly those. Pure numpy.
"""

import dataclasses

import numpy as np

from rlhf.reward.answer_model import AnswerModel, answer_terms, rows
from rlhf.types.experience import Float32, Float64
from rlhf.types.feedback import PreferenceData

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Candidate penalties."""
FALLBACK_RIDGE = 1.0
"""Used when there are too few answers to choose: weights of about one logit per standard deviation."""
FALLBACK_SOURCE_RIDGE = 30.0
"""The same where the weights only correct what a source's reward says."""
_MAX_DIRECTIONS = 160
"""Directions of the inputs that are solved for; the others hardly vary between compared segments."""
_SMALLEST_SD = 1e-6
_MAX_ITERATIONS = 25
_TOLERANCE = 1e-3
_LARGEST_STEP = 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Directions:
    """Segments' mean inputs in as few directions as compared segments differ in."""

    values: Float64
    """(S, R), scaled so that differences have a mean square of 1 per input."""
    back: Float64
    """(P, R), takes weights of the directions to weights of the scaled inputs."""
    gain: float
    """The scale: what the mean inputs were multiplied with."""


def directions(means: Float64, data: PreferenceData) -> Directions:
    """Return the mean inputs (S, P) in the principal directions of the compared differences.

    A ridge treats all rotations of the inputs alike, so nothing is lost by the rotation. Of more than
    ``_MAX_DIRECTIONS`` those of least variance are left out, which a ridge shrinks to nearly nothing anyway.
    """
    first, second, _ = rows(data)
    differences = means[first] - means[second]
    gain = 1.0 / max(float(np.sqrt((differences**2).mean())), _SMALLEST_SD)
    _, basis = np.linalg.eigh(differences.T @ differences)
    back = basis[:, ::-1][:, : min(_MAX_DIRECTIONS, len(differences))]
    return Directions(values=gain * (means @ back), back=back, gain=gain)


def fit_linear(
    inputs: Float64,
    data: PreferenceData,
    model: AnswerModel,
    weights: Float32,
    ridges: Float64,
    start: Float64 | None = None,
) -> Float64:
    """Return penalised maximum-likelihood weights (N, K, P), for N weightings of the answers and K ridges.

    Newton's method on  sum_a w_a NLL_a + ridge / 2 * |weights|^2  with the curvature of ``Terms``, which is
    never negative, for all problems at once.

    Args:
        inputs: mean inputs of the segments, (S, P).
        data: the answers.
        model: how they were given.
        weights: how often each answer counts, (N, A); zero leaves it out.
        ridges: penalties, (K,).
        start: first guess, (N, K, P).
    """
    first, second, answer = rows(data)
    differences = inputs[first] - inputs[second]
    width = inputs.shape[1]
    shape = (len(weights), len(ridges), width)
    solved = (np.zeros(shape) if start is None else start.copy()).reshape(-1, width)
    counts = np.repeat(weights.astype(np.float64), len(ridges), axis=0)[:, answer]
    penalties = np.tile(ridges, len(weights))
    going = np.arange(len(solved))
    for _ in range(_MAX_ITERATIONS):
        terms = answer_terms(solved[going] @ inputs.T, data, model)
        gradient = (counts[going] * terms.score) @ differences - penalties[going, None] * solved[going]
        curvature = counts[going] * terms.information
        change = np.stack(
            [
                np.linalg.solve((differences.T * c) @ differences + ridge * np.eye(width), g)
                for c, ridge, g in zip(curvature, penalties[going], gradient, strict=True)
            ]
        )
        moved = np.abs(change @ differences.T).max(axis=-1)
        # no lead moves further at once: Newton's steps overshoot where answers can all be explained
        solved[going] += change / np.maximum(1.0, moved / _LARGEST_STEP)[:, None]
        going = going[moved > _TOLERANCE]
        if not len(going):
            break
    return solved.reshape(shape)
