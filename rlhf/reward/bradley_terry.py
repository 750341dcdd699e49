"""The likelihood of answers as torch functions, for gradient descent; ``answer_model`` says what they mean.

Exact and with finite gradients however far apart the returns are: where a clamp would stop the gradient of
a confidently wrong comparison, these keep one of size at most 1 (and noise makes it fade, because the answer
is then taken for a mistake). They know nothing of networks, segments or how returns are scaled.
"""

import dataclasses
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf.reward.answer_model import AnswerModel, intervals
from rlhf.types.feedback import PreferenceData


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What A answers say, as tensors; a comparison is an interval of leads, a ranking an order of places."""

    segments: Tensor
    """int64 (A, K), what was shown, the best first if it is a ranking; filled up with segment 0."""
    num_shown: Tensor
    """int64 (A,)."""
    num_ranked: Tensor
    """int64 (A,), 0 for a comparison."""
    lower: Tensor
    """float32 (A,), as the next three: of the lead, for a comparison."""
    upper: Tensor
    log_rational: Tensor
    log_random: Tensor
    rationality: Tensor
    """float32 (A,)."""
    side_bias: Tensor
    """float32 (A,)."""
    noise: float

    def at(self, answers: Tensor | tuple[slice, ...]) -> "Evidence":
        """Return the evidence of the answers with the given indices, of any shape, or of slices of it."""
        chosen = {
            field.name: getattr(self, field.name)[answers]
            for field in dataclasses.fields(self)
            if field.name != "noise"
        }
        return Evidence(**chosen, noise=self.noise)


def evidence(data: PreferenceData, model: AnswerModel) -> Evidence:
    """Return what the answers say under the answer model."""
    said, order = intervals(data, model), data.rankings.order
    places = order.shape[1] if len(order) else 2
    shown = np.zeros((len(data), places), np.int64)
    pairs, ranked = len(data.first), len(order)
    shown[:pairs, 0], shown[:pairs, 1] = data.first, data.second
    if ranked:
        shown[pairs:] = np.maximum(order, 0)
    none = np.zeros(ranked)
    with np.errstate(divide="ignore"):  # without noise, no answer is random
        log_random = np.log(said.random)

    def tensor(*parts: np.ndarray) -> Tensor:
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    return Evidence(
        segments=torch.from_numpy(shown),
        num_shown=torch.from_numpy(np.concatenate([np.full(pairs, 2), (order >= 0).sum(axis=1)])),
        num_ranked=torch.from_numpy(np.concatenate([np.zeros(pairs, np.int64), data.rankings.num_ranked])),
        lower=tensor(said.lower, none),
        upper=tensor(said.upper, none),
        log_rational=tensor(np.log(said.rational), none),
        log_random=tensor(log_random, none),
        rationality=torch.from_numpy(model.rationality[data.annotator_of].astype(np.float32)),
        side_bias=tensor(said.side_bias, none),
        noise=model.noise,
    )


def answer_log_prob(returns: Tensor, said: Evidence) -> Tensor:
    """Return the log-probability (...) of answers about segments of the given returns (..., K)."""
    lead = said.rationality * (returns[..., 0] - returns[..., 1]) + said.side_bias
    log_rational = said.log_rational + F.logsigmoid(said.upper - lead) + F.logsigmoid(lead - said.lower)
    log_prob = torch.logaddexp(log_rational, said.log_random) if said.noise else log_rational
    if not bool((said.num_ranked > 0).any()):
        return log_prob
    return torch.where(said.num_ranked > 0, _ranking_log_prob(returns, said), log_prob)


def _ranking_log_prob(returns: Tensor, said: Evidence) -> Tensor:
    """Return Plackett-Luce log-probabilities: every ranked place is chosen among those behind it."""
    places = torch.arange(returns.shape[-1])
    is_missing = places >= said.num_shown[..., None]
    utilities = (said.rationality[..., None] * returns).masked_fill(is_missing, -1e9)
    behind = utilities.flip(-1).logcumsumexp(-1).flip(-1)
    log_prob = utilities - behind
    if said.noise:
        left = (said.num_shown[..., None] - places).clamp_min(1)
        log_random = math.log(said.noise) - left.to(returns.dtype).log()
        log_prob = torch.logaddexp(log_prob + math.log1p(-said.noise), log_random)
    return log_prob.masked_fill(places >= said.num_ranked[..., None], 0.0).sum(-1)
