"""What another run's reward says of this run's behaviour, as weights of the inputs that are solved for here.

The source's reward becomes one more input of the linear term. Its weight is learned with the others and is
nearly free, so that a few answers say how much the whole reward counts here, if anything; the others then
only correct it, and a ridge pulls them to nothing, which pulls the reward as a whole to the source's.
Whatever class the source has, it is read off as weights, so that what comes out is an ordinary reward.
"""

import dataclasses

import numpy as np
import torch

from rlhf.reward.answer_model import rows
from rlhf.reward.linear import Directions
from rlhf.reward.networks import mean_inputs
from rlhf.reward.normalise import InputNormaliser
from rlhf.reward.source import Source
from rlhf.types.experience import Float32, Float64, Int64
from rlhf.types.feedback import PreferenceData

SOURCE_RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
"""Candidate penalties of what departs from the source; with the largest the source is all there is."""
_SAID_SD = 3.0
"""Prior standard deviation, in logits, of what the source says of two typical segments: from nothing to
certainty, in the source's favour or against it."""
_MAX_STEPS = 8_000
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prior:
    """What a source's reward says of steps of this run."""

    inputs: Float32
    """(B, F), normalised features of steps."""
    said: Float32
    """(B,), the source's reward for them, without bounds."""

    def weights(self, columns: Int64) -> Float64:
        """Return the weights (P,) of features and products of ``columns`` that come nearest to the source.

        Least squares over the steps; exact for a source that is linear in the same inputs.
        """
        inputs = mean_inputs(torch.from_numpy(self.inputs)[:, None], columns)
        inputs = inputs - inputs.mean(axis=0)
        square = inputs.T @ inputs
        square[np.diag_indices_from(square)] += _SMALLEST * len(inputs)
        return np.asarray(np.linalg.solve(square, inputs.T @ (self.said - self.said.mean(dtype=np.float64))))


def make_prior(
    source: Source, features: Float32, normaliser: InputNormaliser, rng: np.random.Generator
) -> Prior:
    """Return what the source says of steps.

    Args:
        source: a reward of another run.
        features: raw features of steps, (B, F), of which some are drawn if there are many.
        normaliser: of the reward that is fitted here.
        rng: draws them.
    """
    if len(features) > _MAX_STEPS:
        features = rng.choice(features, _MAX_STEPS, replace=False)
    return Prior(inputs=normaliser(features), said=source(features))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceInput:
    """What a source's reward says of segments, in units of its typical difference of two compared ones."""

    values: Float64
    """(S,)."""
    weights: Float64
    """(P,), of the segments' mean inputs."""


def source_input(means: Float64, weights: Float64, data: PreferenceData) -> SourceInput:
    """Return the source's weights (P,) and what they make of the mean inputs (S, P) of segments."""
    said = means @ weights
    first, second, _ = rows(data)
    typical = max(float(np.sqrt(((said[first] - said[second]) ** 2).mean())), _SMALLEST)
    return SourceInput(values=said / typical, weights=weights / typical)


def with_source(own: Directions, source: SourceInput, ridge: float) -> Directions:
    """Return the directions and, as one more, what the source says, so scaled that the ridge frees it."""
    scale = _SAID_SD * np.sqrt(ridge)
    return dataclasses.replace(
        own,
        values=np.column_stack([own.values, scale * source.values]),
        back=np.column_stack([own.back, scale / own.gain * source.weights]),
    )
