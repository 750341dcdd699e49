"""How people answer, given returns: mistakes, reliability, sides, ties, strength, rankings.

One scale serves every comparison. Annotator l sees the first segment lead by

    d = rationality_l * (R_first - R_second) + side_bias_l

plus logistic noise, and answers by the interval that falls into:

    second, clear | second, slight | equal | first, slight | first, clear
            -clear_width      -tie_width  +tie_width     +clear_width

Without ties and strength this is Bradley-Terry; with ties it is the model of Rao and Kupper; with strength
the cumulative model of ordinal comparisons. A ranking is Plackett-Luce: first place is chosen among all with
probabilities softmax(rationality_l * R), the next among the rest, and so on. A share ``noise`` of all answers
(of all choices of a ranking) is random. Pure numpy; knows nothing of how returns come about.

Sources: ties https://doi.org/10.1080/01621459.1967.10482901; ordinal comparisons
https://arxiv.org/abs/1210.1016; rankings https://doi.org/10.2307/2346567; random answers
https://arxiv.org/abs/1706.03741 sec. 2.2.3.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlhf.types.experience import Float64, Int64
from rlhf.types.feedback import PreferenceData, Rankings, Strength

_LARGEST_LOGIT = 30.0
"""Leads beyond this are as good as certain; exponentials stay in range."""
_LEAST_CURVATURE = 0.1
"""Share of a rational answer's information that is kept at least where the answer may be a mistake: there
the likelihood bends the wrong way, and a step must not follow it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerModel:
    """What is known of the annotators of one reward version."""

    noise: float
    """Share of answers given at random, in [0, 1)."""
    rationality: Float64
    """(A,), above 0: how strongly each annotator follows the returns. The mean logarithm over all answers
    is 0, so 1 is an ordinary annotator of this run."""
    side_bias: Float64
    """(A,), what showing a segment left is worth to each annotator, in logits."""
    tie_width: float = 0.0
    """Leads up to this are called equal, in logits; 0 where nobody ever said equal."""
    clear_width: float = 1.0
    """Leads beyond this are called clear, in logits; above ``tie_width``."""
    tie_share: float = 0.0
    """How many of the random answers are ties: as many as of all answers."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(f"noise is {self.noise}; it is a share of answers and must lie in [0, 1).")
        if not 0.0 <= self.tie_width < self.clear_width:
            raise ValueError(
                f"tie_width is {self.tie_width} and clear_width {self.clear_width}; "
                "they must not be negative and must rise."
            )

    def prob_first(self, differences: Float64) -> Float64:
        """Return P(first preferred) of an ordinary annotator without a side, a tie counting half.

        Args:
            differences: return of the first less that of the second, in logits, any shape.
        """
        rational = _sigmoid(differences - self.tie_width) + _sigmoid(differences + self.tie_width)
        return np.asarray((1.0 - self.noise) * 0.5 * rational + 0.5 * self.noise)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain JSON data; inverse of ``from_dict``."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "AnswerModel":
        """Rebuild a model from ``to_dict``."""
        arrays = {name: np.array(data[name], np.float64) for name in ("rationality", "side_bias")}
        return cls(**{**data, **arrays})


def ordinary(data: PreferenceData, noise: float) -> AnswerModel:
    """Return the model in which all annotators are alike, favour no side and say equal now and then."""
    tie_share = float(data.is_tie.mean()) if len(data.first) else 0.0
    return AnswerModel(
        noise=noise,
        rationality=np.ones(data.num_annotators),
        side_bias=np.zeros(data.num_annotators),
        tie_width=0.5 if tie_share else 0.0,
        clear_width=1.5,
        tie_share=tie_share,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """The log-likelihood of A answers and its derivatives along R differences of two returns.

    A comparison has one such difference, a ranking of K segments one for every two of them; see ``rows``.
    """

    log_prob: Float64
    """(..., A)."""
    score: Float64
    """(..., R), first derivatives."""
    information: Float64
    """(..., R), at least 0: a curvature that is safe to divide by."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Intervals:
    """Which leads each comparison's answer stands for; arrays (Q,)."""

    lower: Float64
    upper: Float64
    rationality: Float64
    side_bias: Float64
    random: Float64
    """Probability of this answer among random ones, times their share."""
    rational: Float64
    """Share of rational answers times 1 - exp(lower - upper), what does not depend on the lead."""


def intervals(data: PreferenceData, model: AnswerModel) -> Intervals:
    """Return what the comparisons say under the answer model."""
    tie, clear = model.tie_width, model.clear_width
    wins = np.where(data.prob_first > 0.5, 1.0, -1.0)
    near = np.where(data.strength == Strength.CLEAR, clear, tie)
    far = np.where(data.strength == Strength.SLIGHT, clear, np.inf)
    lower = np.where(data.is_tie, -tie, np.where(wins > 0, near, -far))
    upper = np.where(data.is_tie, tie, np.where(wins > 0, far, -near))
    side_share = np.where(data.strength == Strength.UNSAID, 0.5, 0.25) * (1.0 - model.tie_share)
    return Intervals(
        lower=lower,
        upper=upper,
        rationality=model.rationality[data.annotator],
        side_bias=model.side_bias[data.annotator],
        random=model.noise * np.where(data.is_tie, model.tie_share, side_share),
        rational=(1.0 - model.noise) * -np.expm1(np.maximum(lower - upper, -700.0)),
    )


def comparison_terms(differences: Float64, said: Intervals) -> Terms:
    """Return the terms of comparisons whose returns differ by ``differences`` (..., Q).

    P(lower < lead + logistic noise < upper) = sigmoid(upper - d) sigmoid(d - lower) (1 - exp(lower - upper)).
    """
    lead = said.rationality * differences + said.side_bias
    lead = np.clip(lead, -_LARGEST_LOGIT, _LARGEST_LOGIT)
    above, below = _sigmoid(lead - said.upper), _sigmoid(said.lower - lead)  # of missing the interval
    rational = said.rational * (1.0 - above) * (1.0 - below)
    prob = rational + said.random
    is_meant = rational / prob
    score = below - above
    curvature = above * (1.0 - above) + below * (1.0 - below)
    information = np.maximum(curvature - (1.0 - is_meant) * score**2, _LEAST_CURVATURE * curvature)
    return Terms(
        log_prob=np.log(prob),
        score=said.rationality * is_meant * score,
        information=said.rationality**2 * is_meant * information,
    )


def ranking_terms(returns: Float64, rankings: Rankings, model: AnswerModel) -> Terms:
    """Return the terms of rankings whose places, best first, have ``returns`` (..., G, K).

    Differences are those of ``place_pairs``. The covariance of a choice, diag(p) - p p^T, is the sum of
    p_i p_j (e_i - e_j)(e_i - e_j)^T over pairs, so pairs carry the whole information.
    """
    places = returns.shape[-1]
    rationality = model.rationality[rankings.annotator][:, None]
    utilities = rationality * returns
    utilities = utilities - utilities.max(axis=-1, keepdims=True)
    is_shown = rankings.order >= 0
    weights = np.where(is_shown, np.exp(np.maximum(utilities, -_LARGEST_LOGIT)), 0.0)
    better, worse = place_pairs(places)
    score = np.zeros((*returns.shape[:-1], len(better)))
    information = np.zeros_like(score)
    log_prob = np.zeros(returns.shape[:-1])
    for place in range(places - 1):
        is_ranked = place < rankings.num_ranked
        left = weights[..., place:].sum(axis=-1)
        probs = np.where(is_ranked[:, None], weights / np.where(is_ranked, left, 1.0)[..., None], 0.0)
        rational = (1.0 - model.noise) * probs[..., place]
        random = model.noise / np.maximum(is_shown[:, place:].sum(axis=-1), 1)
        prob = np.where(is_ranked, rational + random, 1.0)
        is_meant = (rational / prob)[..., None]
        log_prob += np.log(prob)
        chosen, among = better == place, better >= place
        score[..., chosen] += is_meant * probs[..., worse[chosen]]
        information[..., among] += is_meant * probs[..., better[among]] * probs[..., worse[among]]
    return Terms(log_prob=log_prob, score=rationality * score, information=rationality**2 * information)


def place_pairs(places: int) -> tuple[Int64, Int64]:
    """Return the indices of the better and the worse place of every two of ``places``."""
    better, worse = np.triu_indices(places, 1)
    return better.astype(np.int64), worse.astype(np.int64)


def rows(data: PreferenceData) -> tuple[Int64, Int64, Int64]:
    """Return (first, second, answer), each (R,): the differences of ``Terms`` as segments and answers.

    Where a ranking is shorter than the longest, both are segment 0 and nothing is said of them.
    """
    order = data.rankings.order
    better, worse = place_pairs(order.shape[1])
    is_shown = order[:, worse] >= 0
    first = np.where(is_shown, order[:, better], 0).reshape(-1)
    second = np.where(is_shown, order[:, worse], 0).reshape(-1)
    answer = np.repeat(np.arange(len(data.first), len(data)), len(better))
    return (
        np.concatenate([data.first, first]),
        np.concatenate([data.second, second]),
        np.concatenate([np.arange(len(data.first)), answer]),
    )


def answer_terms(returns: Float64, data: PreferenceData, model: AnswerModel) -> Terms:
    """Return the terms of all answers about segments of the given returns (..., S)."""
    differences = returns[..., data.first] - returns[..., data.second]
    terms = comparison_terms(differences, intervals(data, model))
    if not len(data.rankings):
        return terms
    ranked = ranking_terms(returns[..., data.rankings.order], data.rankings, model)
    flat = (*ranked.score.shape[:-2], -1)
    return Terms(
        log_prob=np.concatenate([terms.log_prob, ranked.log_prob], axis=-1),
        score=np.concatenate([terms.score, ranked.score.reshape(flat)], axis=-1),
        information=np.concatenate([terms.information, ranked.information.reshape(flat)], axis=-1),
    )


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
