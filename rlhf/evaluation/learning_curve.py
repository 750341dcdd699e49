"""How fast a reward model becomes right, and what a few more answers may bring. Pure."""

import math

import numpy as np

from rlhf.evaluation.people import Estimate
from rlhf.types.experience import Bool, Float64, Int64

MIN_PREDICTIONS = 12
"""With fewer predictions nothing is said."""
_SLOPE_PRIOR_SD = 0.5
"""Of the change of the log-odds of being right when answers become e times as many: usual are 0 to 0.7."""
_LEVEL_PRIOR_SD = 2.0
_STEPS = 30
_NORMAL_95 = 1.96


def expected_gain(num_known: Int64, is_right: Bool, now: int, more: int = 10) -> Estimate | None:
    """Return how much more often right the model is expected to be after ``more`` answers.

    Predictions made in the course of a run are a logistic regression on how much was known at each:

        P(right | n answers) = sigmoid(a + b log(n / now)),   a ~ N(0, 2^2), b ~ N(0, 0.5^2)

    and the gain is P(right | now + more) - P(right | now), with the interval that the posterior's curvature
    gives (Laplace's approximation, delta method). Without evidence the prior says: none.

    Args:
        num_known: answers the model had learned from when it predicted, above 0, (B,).
        is_right: whether the prediction was, (B,); of random pairs, as pairs that are chosen become harder.
        now: answers there are, above 0.
        more: answers to come.

    Returns:
        A difference of shares; None for fewer than ``MIN_PREDICTIONS`` predictions.
    """
    if len(is_right) < MIN_PREDICTIONS or now < 1:
        return None
    inputs = np.stack([np.ones(len(num_known)), np.log(num_known / now)], axis=1)
    precision = np.diag([_LEVEL_PRIOR_SD**-2, _SLOPE_PRIOR_SD**-2])
    weights = np.zeros(2)
    for _ in range(_STEPS):
        prob = _sigmoid(inputs @ weights)
        bend = (inputs.T * (prob * (1.0 - prob))) @ inputs + precision
        weights += np.linalg.solve(bend, inputs.T @ (is_right - prob) - precision @ weights)
    later = np.array([1.0, math.log1p(more / now)])
    before, after = (float(_sigmoid(one @ weights)) for one in (np.array([1.0, 0.0]), later))
    slope = after * (1.0 - after) * later - before * (1.0 - before) * np.array([1.0, 0.0])
    half = _NORMAL_95 * math.sqrt(float(slope @ np.linalg.solve(bend, slope)))
    gain = after - before
    return Estimate(value=gain, low=gain - half, high=gain + half)


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
