"""Answers of made-up people about segments of known returns."""

import dataclasses

import numpy as np

from rlhf.types.experience import Float64, Int64
from rlhf.types.feedback import PreferenceData, Rankings, Strength


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crowd:
    rationality: tuple[float, ...] = (1.0,)
    side_bias: tuple[float, ...] = (0.0,)
    tie_width: float = 0.0
    clear_width: float | None = None
    mistakes: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    data: PreferenceData
    means: Float64
    """(S, P), mean inputs of the segments."""
    truth: Float64
    """(P,), their weights; a segment's return has a standard deviation of about 2."""

    @property
    def returns(self) -> Float64:
        return self.means @ self.truth


def ask(crowd: Crowd, count: int, seed: int, width: int = 8, matter: int | None = None) -> Asked:
    """``count`` comparisons, every segment shown once, annotators in turn by chance.

    Only the first inputs ``matter``, all if it is None.
    """
    rng = np.random.default_rng(seed)
    means, truth = rng.normal(size=(2 * count, width)), _truth(rng, width)
    if matter is not None:
        truth = np.concatenate([_truth(rng, matter), np.zeros(width - matter)])
    first = np.arange(count)
    annotator = rng.integers(0, len(crowd.rationality), count)
    rationality, bias = np.array(crowd.rationality)[annotator], np.array(crowd.side_bias)[annotator]
    returns = means @ truth
    lead = rationality * (returns[:count] - returns[count:]) + bias + rng.logistic(size=count)
    answer = np.where(np.abs(lead) <= crowd.tie_width, 0.5, lead > 0)
    mistaken = rng.random(count) < crowd.mistakes
    answer[mistaken] = 1.0 - answer[mistaken]
    strength = np.full(count, int(Strength.UNSAID))
    if crowd.clear_width is not None:
        strength = np.where(np.abs(lead) > crowd.clear_width, Strength.CLEAR, Strength.SLIGHT)
        strength[answer == 0.5] = Strength.UNSAID
    data = PreferenceData(
        features=np.repeat(means[:, None], 2, axis=1).astype(np.float32),
        first=first,
        second=first + count,
        prob_first=answer.astype(np.float32),
        annotator=annotator,
        strength=strength,
    )
    return Asked(data=data, means=means, truth=truth)


def rank(count: int, places: int, seed: int, width: int = 8) -> Asked:
    """``count`` full rankings by Plackett-Luce, every segment shown once."""
    rng = np.random.default_rng(seed)
    means, truth = rng.normal(size=(places * count, width)), _truth(rng, width)
    shown = np.arange(places * count).reshape(count, places)
    # the order of utilities with Gumbel noise is a draw from Plackett-Luce
    utilities = (means @ truth)[shown] + rng.gumbel(size=shown.shape)
    order = np.take_along_axis(shown, np.argsort(-utilities, axis=1), axis=1)
    data = with_rankings(ask(Crowd(), 1, 0, width).data, order, means)
    return Asked(data=data, means=means, truth=truth)


def with_rankings(
    data: PreferenceData, order: Int64, means: Float64, num_ranked: int | None = None
) -> PreferenceData:
    """The rankings alone, in place of the comparisons."""
    count, places = order.shape
    none = np.empty(0, np.int64)
    return dataclasses.replace(
        data,
        features=np.repeat(means[:, None], 2, axis=1).astype(np.float32),
        first=none,
        second=none,
        prob_first=none.astype(np.float32),
        annotator=none,
        strength=none,
        rankings=Rankings(
            order=order,
            num_ranked=np.full(count, places - 1 if num_ranked is None else num_ranked),
            annotator=np.zeros(count, np.int64),
        ),
    )


def alignment(found: Float64, truth: Float64) -> float:
    """Correlation of returns under two weightings of independent inputs."""
    return float(found @ truth / np.linalg.norm(found) / np.linalg.norm(truth))


def _truth(rng: np.random.Generator, width: int) -> Float64:
    direction = rng.normal(size=width)
    return 2.0 * direction / np.linalg.norm(direction)
