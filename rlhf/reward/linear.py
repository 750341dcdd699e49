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
FALLBACK_DESIGN_RIDGE = 100.0
"""The same for weights that a design says nothing of."""
_MAX_DIRECTIONS = 160
"""Directions of the inputs that are solved for; the others hardly vary between compared segments."""
_SMALLEST_SD = 1e-6
_MAX_ITERATIONS = 25
_TOLERANCE = 1e-3
_LARGEST_STEP = 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightPrior:
    """What is known of the weights of F normalised features before any answer: normal, each on its own."""

    mean: Float64
    """(F,), in logits of a segment's return."""
    sd: Float64
    """(F,), above 0; infinite where nothing is known, which leaves the weight to the ridge."""
    largest: float
    """The largest weight that is to be expected, in logits."""

    @property
    def names_only(self) -> "WeightPrior":
        """The same without what it says of signs and sizes: which weights may be large is left."""
        sd = np.where(np.isfinite(self.sd), self.largest, np.inf)
        return dataclasses.replace(self, mean=np.zeros_like(self.mean), sd=sd)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Directions:
    """Segments' mean inputs in as few directions as compared segments differ in."""

    values: Float64
    """(S, R), scaled so that differences have a mean square of 1 per input."""
    back: Float64
    """(P, R), takes weights of the directions to weights of the inputs, in units of the gain."""
    gain: float
    """The scale: what the mean inputs were multiplied with."""
    start: Float64
    """(P,), weights that those of the directions are added to."""
    started: Float64
    """(S,), returns in logits by ``start`` alone."""
    scale: Float64
    """(P,), how far each input's weight may move, beside the others."""

    def returns(self, solved: Float64) -> Float64:
        """Return segments' returns in logits, (..., S), by weights of the directions (..., R)."""
        return np.asarray(self.started + solved @ self.values.T)

    def weights(self, solved: Float64) -> Float64:
        """Return weights of the inputs, (..., P), from weights of the directions (..., R).

        The gain times a segment's mean inputs times these is its return.
        """
        return np.asarray(self.start + solved @ self.back.T)


def directions(
    means: Float64, data: PreferenceData, prior: WeightPrior | None = None, ridge: float = 1.0
) -> Directions:
    """Return the mean inputs (S, P) in the principal directions of the compared differences.

    A ridge treats all rotations of the inputs alike, so nothing is lost by the rotation. Of more than
    ``_MAX_DIRECTIONS`` those of least variance are left out, which a ridge shrinks to nearly nothing anyway.

    Args:
        means: mean inputs of the segments; the first F are those of a prior.
        data: the answers.
        prior: of the first weights. They start at its mean, and their inputs are so scaled that the ridge
            holds each as the prior does.
        ridge: that they will be solved with; of no consequence without a prior.
    """
    first, second, _ = rows(data)
    differences = means[first] - means[second]
    gain = 1.0 / max(float(np.sqrt((differences**2).mean())), _SMALLEST_SD)
    start, scale = np.zeros(means.shape[1]), np.ones(means.shape[1])
    if prior is not None:
        known = np.flatnonzero(np.isfinite(prior.sd))
        start[known] = prior.mean[known] / gain
        scale[known] = prior.sd[known] / gain * np.sqrt(ridge)
    differences = differences * scale
    _, basis = np.linalg.eigh(differences.T @ differences)
    back = scale[:, None] * basis[:, ::-1][:, : min(_MAX_DIRECTIONS, len(differences))]
    return Directions(
        values=gain * (means @ back),
        back=back,
        gain=gain,
        start=start,
        started=gain * (means @ start),
        scale=scale,
    )


def fit_linear(
    inputs: Float64,
    data: PreferenceData,
    model: AnswerModel,
    weights: Float32,
    ridges: Float64,
    start: Float64 | None = None,
    offset: Float64 | float = 0.0,
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
        offset: returns that what is solved for is added to, (S,).
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
        terms = answer_terms(offset + solved[going] @ inputs.T, data, model)
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


def weight_errors(
    inputs: Directions, data: PreferenceData, model: AnswerModel, ridge: float, solved: Float64
) -> Float64:
    """Return standard deviations (P,) of the inputs' weights after the answers, in logits.

    From the curvature of likelihood and prior at the solution (Laplace's approximation). What no answer
    speaks of keeps its prior.

    Args:
        inputs: what was solved in.
        data: the answers.
        model: how they were given.
        ridge: penalty it was solved with.
        solved: weights of the directions, (R,).
    """
    first, second, answer = rows(data)
    differences = inputs.values[first] - inputs.values[second]
    terms = answer_terms(inputs.returns(solved), data, model)
    curvature = data.weight_of[answer] * terms.information
    bend = (differences.T * curvature) @ differences + ridge * np.eye(len(solved))
    known = np.einsum("pr,pr->p", inputs.back, np.linalg.solve(bend, inputs.back.T).T)
    unknown = np.maximum(inputs.scale**2 - (inputs.back**2).sum(axis=1), 0.0) / ridge
    return np.asarray(inputs.gain * np.sqrt(known + unknown))
