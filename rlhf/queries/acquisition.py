"""How much an answer to a pair is worth: plain functions of the members' predictions.

Each takes ``member_probs``, float (M, B): every ensemble member's P(left preferred) of B candidate pairs,
the share of random answers included; and a Generator that only ``random`` uses. Each returns scores (B,),
higher for pairs more worth asking.
"""

from collections.abc import Callable

import numpy as np

from rlhf.types.experience import Float32, Float64

Acquisition = Callable[[Float32, np.random.Generator], Float64]


def random(member_probs: Float32, rng: np.random.Generator) -> Float64:
    """Return uniform scores: every pair is worth the same."""
    return np.asarray(rng.random(member_probs.shape[1]), np.float64)


def disagreement(member_probs: Float32, rng: np.random.Generator) -> Float64:
    """Return the standard deviation of the members' probabilities.

    Source: https://arxiv.org/abs/1706.03741 sec. 2.2.4, which uses the variance: the same order.
    """
    return np.asarray(member_probs.std(axis=0), np.float64)


def entropy(member_probs: Float32, rng: np.random.Generator) -> Float64:
    """Return the entropy of the mean prediction, nats: also high for true ties."""
    return _binary_entropy(np.asarray(member_probs, np.float64).mean(axis=0))


def bald(member_probs: Float32, rng: np.random.Generator) -> Float64:
    """Return the information an answer gives about which member is right, nats.

    H(mean_m p_m) - mean_m H(p_m); zero where all members are equally unsure. Source:
    https://arxiv.org/abs/1112.5745 eq. 2.
    """
    probs = np.asarray(member_probs, np.float64)
    return np.asarray(_binary_entropy(probs.mean(axis=0)) - _binary_entropy(probs).mean(axis=0))


ACQUISITIONS: dict[str, Acquisition] = {
    "random": random,
    "disagreement": disagreement,
    "entropy": entropy,
    "bald": bald,
}


def _binary_entropy(probability: Float64) -> Float64:
    p = np.clip(probability, 1e-12, 1.0 - 1e-12)
    return np.asarray(-p * np.log(p) - (1.0 - p) * np.log1p(-p))
