"""How much an answer would teach the reward model: member probabilities -> scores.

Each function takes every ensemble member's P(answer is first) of the candidates, (M, B), and of the
comparisons that are to be foretold, (M, R), and returns scores (B,), larger is more worth asking. Pure numpy;
knows neither segments nor how many are asked.
"""

from collections.abc import Callable

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ConfigError
from rlhf.types.experience import Float32

Acquisition = Callable[[Float32, Float32], Float32]

NOISE_FLOOR = 0.05
"""No answer is taken to be more certain than this: people err about one time in twenty. As a bound it
leaves probabilities alone that allow for mistakes already."""


def random(member_probs: Float32, target_probs: Float32) -> Float32:
    """Return equal scores: candidates come in random order, and the selection keeps it among equals."""
    check_shape("member_probs", member_probs, (None, None))
    return np.zeros(member_probs.shape[1], dtype=np.float32)


def disagreement(member_probs: Float32, target_probs: Float32) -> Float32:
    """Return the standard deviation of the members' probabilities, float32 (B,) in [0, 0.5].

    Source: https://arxiv.org/abs/1706.03741 sec. 2.2.4, which takes the variance.
    """
    check_shape("member_probs", member_probs, (None, None))
    return np.asarray(member_probs.std(axis=0), dtype=np.float32)


def entropy(member_probs: Float32, target_probs: Float32) -> Float32:
    """Return the entropy of the ensemble's mean probability in nats, float32 (B,) in [0, ln 2].

    High also for true ties, where asking again teaches nothing.
    """
    check_shape("member_probs", member_probs, (None, None))
    return _binary_entropy(member_probs.mean(axis=0))


def bald(member_probs: Float32, target_probs: Float32) -> Float32:
    """Return the mutual information of answer and member in nats, float32 (B,) in [0, ln 2].

        H(mean_m p_m) - mean_m H(p_m),   H the entropy of a yes-no answer

    High where members are sure and contradict each other, low for true ties.
    Source: https://arxiv.org/abs/1112.5745 (Bayesian active learning by disagreement).
    """
    check_shape("member_probs", member_probs, (None, None))
    bounded = np.clip(member_probs, NOISE_FLOOR, 1.0 - NOISE_FLOOR)
    information = _binary_entropy(bounded.mean(axis=0)) - _binary_entropy(bounded).mean(axis=0)
    return np.asarray(np.maximum(information, 0.0), dtype=np.float32)


def information_gain(member_probs: Float32, target_probs: Float32) -> Float32:
    """Return what an answer tells of the order of the target pairs, nats per pair, float32 (B,).

        mean_r I(y; o_r),   P(y, o_r) = mean_m P_m(y) P_m(o_r)

    The mutual information of the answer ``y`` and the order ``o_r`` of target pair ``r``, the members being
    equally likely. Unlike ``bald`` it gives nothing for settling contradictions that do not matter where the
    targets are. Needs R >= 1.

    Source: expected predictive information gain, https://arxiv.org/abs/2304.08151.
    """
    check_shape("member_probs", member_probs, (None, None))
    check_shape("target_probs", target_probs, (len(member_probs), None))
    answers = np.clip(member_probs.astype(np.float64), NOISE_FLOOR, 1.0 - NOISE_FLOOR)
    orders = np.clip(target_probs.astype(np.float64), NOISE_FLOOR, 1.0 - NOISE_FLOOR)
    information = np.zeros((answers.shape[1], orders.shape[1]))
    for answer in (answers, 1.0 - answers):
        for order in (orders, 1.0 - orders):
            joint = answer.T @ order / len(answer)
            information += joint * np.log(joint / np.outer(answer.mean(axis=0), order.mean(axis=0)))
    return np.asarray(np.maximum(information.mean(axis=1), 0.0), dtype=np.float32)


ACQUISITIONS: dict[str, Acquisition] = {
    "random": random,
    "disagreement": disagreement,
    "entropy": entropy,
    "bald": bald,
    "information_gain": information_gain,
}
"""Every acquisition function by its name in settings."""


def acquisition(name: str) -> Acquisition:
    """Return the acquisition function called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in ACQUISITIONS:
        raise ConfigError(f"there is no acquisition {name!r}; allowed are {', '.join(ACQUISITIONS)}.")
    return ACQUISITIONS[name]


def _binary_entropy(probs: Float32) -> Float32:
    bounded = np.clip(probs.astype(np.float64), 1e-12, 1.0 - 1e-12)
    nats = -(bounded * np.log(bounded) + (1.0 - bounded) * np.log1p(-bounded))
    return nats.astype(np.float32)
