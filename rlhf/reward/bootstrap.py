"""Which answers each ensemble member learns from. Pure numpy."""

import numpy as np

from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData

MIN_OUT_OF_BAG = 10
"""With fewer answers none are held out; see ``bootstrap_weights``."""


def bootstrap_weights(data: PreferenceData, num_members: int, rng: np.random.Generator) -> Float32:
    """Return how often each member counts each answer, float32 (M, Q + G); zero means out of bag.

    Counts are Poisson(1) per question, that is per set of segments, times the answer's own weight: repeated
    answers about one pair are in or out together, so that no member is tested on a pair it has seen. Every
    member keeps at least one.
    With fewer than ``MIN_OUT_OF_BAG`` answers each member sees all of them, once or twice: losing a third of
    so few would cost more than the bootstrap gives.
    """
    order = data.rankings.order
    shown = np.full((len(data), order.shape[1]), -1, np.int64)
    shown[: len(data.first), :2] = np.stack([data.first, data.second], axis=1)
    shown[len(data.first) :] = order
    _, question_of = np.unique(np.sort(shown, axis=1), axis=0, return_inverse=True)
    question_of = question_of.reshape(-1)
    shape = (num_members, int(question_of.max()) + 1)
    if len(data) < MIN_OUT_OF_BAG:
        counts = rng.integers(1, 3, shape)
    else:
        counts = rng.poisson(1.0, shape)
        empty = np.flatnonzero(counts.sum(axis=1) == 0)
        counts[empty, rng.integers(0, shape[1], len(empty))] = 1
    return np.asarray(counts[:, question_of] * data.weight_of, dtype=np.float32)


def holds_out(weights: Float32) -> bool:
    """Return whether every member has out-of-bag answers, and there are enough to go by."""
    return weights.shape[1] >= MIN_OUT_OF_BAG and bool((weights == 0).any(axis=1).all())
