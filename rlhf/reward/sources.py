"""Which questions teach more: as many answers of each kind, tested on the same unseen answers."""

import dataclasses
import math

import numpy as np
import torch

from rlhf.reward.ensemble import RewardModel
from rlhf.reward.linear import directions
from rlhf.reward.networks import mean_inputs, product_columns
from rlhf.reward.relevance import solve
from rlhf.types.experience import Float32, Float64, Int64
from rlhf.types.feedback import PreferenceData

MIN_RANDOM = 20
"""With fewer answers to random pairs, or to chosen ones, nothing is compared."""
_MAX_RANDOM = 100
_FOLDS = 5
_REPEATS = 2
_NORMAL_95 = 1.96


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sources:
    """How right rewards are that learned from chosen pairs alone and from random pairs alone."""

    num_answers: int
    """That each of the two learned from."""
    num_tested: int
    """Answers to random pairs that both were tested on, without having learned from them."""
    chosen: float
    """Share that the one got right that learned from chosen pairs."""
    random: float
    """The same for random pairs."""
    low: float
    """95 % interval of the difference, chosen less random, from the differences answer by answer."""
    high: float


def compare_sources(
    model: RewardModel, data: PreferenceData, chosen: Int64, random: Int64, rng: np.random.Generator
) -> Sources | None:
    """Return what equally many answers of both kinds teach; None where there are too few.

    The part of the reward that is solved for, with the model's own penalty, is fitted to four fifths of the
    answers to random pairs, then to as many to chosen pairs, and both are tested on the last fifth.

    Args:
        model: says how people answer, and of what class the reward is.
        data: the answers.
        chosen: which comparisons, as indices, are of pairs that the model chose.
        random: which are of random pairs; ties among them are learned from but not tested.
        rng: draws which answers take part.
    """
    size = min(len(random), len(chosen), _MAX_RANDOM)
    if size < MIN_RANDOM:
        return None
    random, chosen = (np.sort(rng.choice(one, size, replace=False)) for one in (random, chosen))
    part = _only(data, np.concatenate([random, chosen]))
    learned = size - math.ceil(size / _FOLDS)
    trains = np.zeros((_REPEATS, _FOLDS, 2, 2 * size), np.float32)
    is_tested = np.zeros((_REPEATS, _FOLDS, size), np.bool_)
    for repeat in range(_REPEATS):
        for fold, tested in enumerate(np.array_split(rng.permutation(size), _FOLDS)):
            is_tested[repeat, fold, tested] = True
            others = rng.permutation(np.setdiff1d(np.arange(size), tested))[:learned]
            trains[repeat, fold, 0, others] = 1.0
            trains[repeat, fold, 1, size + rng.choice(size, learned, replace=False)] = 1.0
    differences = _differences(model, part, trains.reshape(-1, 2 * size) * part.weight_of)[:, :size]
    target = part.prob_first[:size]
    is_right = ((differences > 0) == (target > 0.5)).reshape(_REPEATS, _FOLDS, 2, size)
    is_tested &= target != 0.5
    times = np.maximum(is_tested.sum(axis=(0, 1)), 1)
    right = (is_right * is_tested[:, :, None]).sum(axis=(0, 1)) / times  # (2, size)
    right = right[:, is_tested.any(axis=(0, 1))]
    if right.shape[1] < MIN_RANDOM // 2:
        return None
    gain = right[1] - right[0]
    half = _NORMAL_95 * float(gain.std(ddof=1)) / math.sqrt(len(gain))
    return Sources(
        num_answers=learned,
        num_tested=len(gain),
        chosen=float(right[1].mean()),
        random=float(right[0].mean()),
        low=float(gain.mean()) - half,
        high=float(gain.mean()) + half,
    )


def _differences(model: RewardModel, data: PreferenceData, weights: Float32) -> Float64:
    """Return differences of returns (N, Q) by rewards fitted to N weightings of the answers."""
    normalised = model.input_normaliser(data.features)
    columns = product_columns(normalised)
    if model.selection.base == "linear":
        columns = columns[:0]
    means = mean_inputs(torch.from_numpy(normalised), columns)
    inputs, chosen = directions(means, data), model.selection
    solved = solve(means, inputs, data, model.answer_model, weights, ridge=chosen.ridge, passes=chosen.passes)
    returns = inputs.gain * solved @ means.T
    return np.asarray(returns[:, data.first] - returns[:, data.second])


def _only(data: PreferenceData, comparisons: Int64) -> PreferenceData:
    """Return the given comparisons alone, with the segments they are of."""
    first, second = data.first[comparisons], data.second[comparisons]
    segments, index = np.unique(np.concatenate([first, second]), return_inverse=True)
    first, second = np.split(index.reshape(-1).astype(np.int64), 2)
    return PreferenceData(
        features=data.features[segments],
        first=first,
        second=second,
        prob_first=data.prob_first[comparisons],
        annotator=data.annotator[comparisons],
        strength=data.strength[comparisons],
        weight=data.weight_of[comparisons],
    )
