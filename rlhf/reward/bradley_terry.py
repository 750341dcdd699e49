"""Bradley-Terry with answering mistakes: returns of two segments -> probability of an answer -> loss.

    P(first preferred) = (1 - noise) * sigmoid(R_first - R_second) + noise / 2

``noise`` is the share of answers given at random; the sigmoid is the Boltzmann-rational annotator. Pure
functions of torch tensors; they know nothing of networks, segments or how returns are scaled.

Source: https://arxiv.org/abs/1706.03741 sec. 2.2.3 (equation 1 and the 10 % chance of a random answer).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def log_prob_first(returns_first: Tensor, returns_second: Tensor, noise: float) -> Tensor:
    """Return log P(first preferred), exact and with finite gradients however far apart the returns are.

    The log-sigmoid form needs no clamp: where a clamp would stop the gradient of a confidently wrong
    comparison, this one keeps a gradient of size at most 1 (and ``noise`` makes it fade, because the
    answer is then taken for a mistake).

    Args:
        returns_first: segment returns in logits, any shape.
        returns_second: the same for the other segment; broadcasts.
        noise: share of random answers, in [0, 1).

    Returns:
        Log-probabilities <= 0 of the broadcast shape.

    Raises:
        ValueError: ``noise`` is outside [0, 1).
    """
    if not 0.0 <= noise < 1.0:
        raise ValueError(f"noise is {noise}; it is a share of answers and must lie in [0, 1).")
    rational = F.logsigmoid(returns_first - returns_second)
    if noise == 0.0:
        return rational
    floor = torch.full_like(rational, math.log(noise / 2.0))
    return torch.logaddexp(rational + math.log1p(-noise), floor)


def negative_log_likelihood(
    returns_first: Tensor,
    returns_second: Tensor,
    prob_first: Tensor,
    weights: Tensor,
    noise: float,
) -> Tensor:
    """Return each ensemble member's weighted mean cross-entropy between targets and predictions.

    Args:
        returns_first: segment returns of the first segments in logits, (M, Q).
        returns_second: the same for the second segments, (M, Q).
        prob_first: targets in [0, 1], (Q,) or (M, Q); 0.5 for an EQUAL answer.
        weights: how often a member counts each comparison, >= 0, (Q,) or (M, Q).
        noise: share of random answers, in [0, 1).

    Returns:
        (M,), in nats per unit of weight; 0 for a member whose weights are all zero.
    """
    log_first = log_prob_first(returns_first, returns_second, noise)
    log_second = log_prob_first(returns_second, returns_first, noise)
    losses = -(prob_first * log_first + (1.0 - prob_first) * log_second)
    weights = weights.expand_as(losses)
    return (weights * losses).sum(-1) / weights.sum(-1).clamp_min(1e-12)
