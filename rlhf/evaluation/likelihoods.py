"""How well differences of predicted returns foretell answers with ties, by different rules. Pure.

With d the difference of two segments' returns in logits, first minus second:

    constant     P(tie) = t,                                P(first) = (1 - t) sigmoid(d)
    rao-kupper   P(first) = sigmoid(d - w),                 P(second) = sigmoid(-d - w),     the rest are ties
    davidson     P(first) : P(tie) : P(second) = e^(d/2) : v : e^(-d/2)

Each allows for a share of answers given at random among the three.

Sources: Rao and Kupper 1967, "Ties in paired-comparison experiments: a generalization of the Bradley-Terry
model"; Davidson 1970, "On extending the Bradley-Terry model to accommodate ties in paired comparison
experiments". In their terms w is the logarithm of theta, and v is nu.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Float64, Int64

FIRST, TIE, SECOND = 0, 1, 2
"""Columns of probabilities, and outcomes."""
_SCALES = np.geomspace(0.05, 5.0, 15)
_NOISES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_TIES: Mapping[str, Float64] = {
    "constant": np.array([0.001, 0.01, 0.02, *np.arange(0.05, 1.0, 0.05)]),
    "rao-kupper": np.geomspace(0.01, 5.0, 20),
    "davidson": np.geomspace(0.01, 30.0, 20),
}
TIE_RULES = tuple(_TIES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerRule:
    """A rule with its parameters."""

    kind: str
    """One of ``TIE_RULES``."""
    scale: float
    """What differences are multiplied with: how far the model that made them is to be believed."""
    ties: float
    """t, w or v."""
    noise: float
    """Share of answers given at random."""

    def probs(self, differences: Float64) -> Float64:
        """Return P(first), P(tie) and P(second) for differences (Q,), as (Q, 3)."""
        rational = _RULES[self.kind](self.scale * differences, self.ties)
        return (1.0 - self.noise) * rational + self.noise / 3.0


def outcomes(prob_first: Float64) -> Int64:
    """Return the outcome of each answer, (Q,), from its target: 1 first, 0 second, 0.5 tie."""
    return np.where(prob_first == 0.5, TIE, np.where(prob_first > 0.5, FIRST, SECOND)).astype(np.int64)


def log_likelihood(rule: AnswerRule, differences: Float64, outcome: Int64) -> Float64:
    """Return the log-probability of each answer, (Q,), in nats; never below that of 1e-12."""
    check_shape("outcome", outcome, differences.shape)
    probs = rule.probs(differences)[np.arange(len(outcome)), outcome]
    return np.asarray(np.log(np.maximum(probs, 1e-12)))


def fit_rule(kind: str, differences: Float64, outcome: Int64) -> AnswerRule:
    """Return the most likely parameters among a grid; three numbers need no finer search."""
    return max(_candidates(kind), key=lambda rule: log_likelihood(rule, differences, outcome).sum())


def held_out_log_likelihood(kind: str, differences: Float64, outcome: Int64, folds: Int64) -> Float64:
    """Return the log-probability of each answer by a rule whose parameters the other folds set, (Q,).

    Args:
        kind: one of ``TIE_RULES``.
        differences: of predicted returns, by a model that has not seen the comparison, (Q,).
        outcome: what was answered, (Q,).
        folds: which fold each comparison is in, (Q,).
    """
    found = np.empty(len(outcome))
    for fold in np.unique(folds):
        inside = folds == fold
        rule = fit_rule(kind, differences[~inside], outcome[~inside])
        found[inside] = log_likelihood(rule, differences[inside], outcome[inside])
    return found


def _candidates(kind: str) -> Iterator[AnswerRule]:
    for scale, ties, noise in itertools.product(_SCALES, _TIES[kind], _NOISES):
        yield AnswerRule(kind=kind, scale=float(scale), ties=float(ties), noise=noise)


def _sigmoid(x: Float64) -> Float64:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _constant(d: Float64, share: float) -> Float64:
    first = (1.0 - share) * _sigmoid(d)
    return np.stack([first, np.full_like(d, share), 1.0 - share - first], axis=1)


def _rao_kupper(d: Float64, width: float) -> Float64:
    first, second = _sigmoid(d - width), _sigmoid(-d - width)
    return np.stack([first, 1.0 - first - second, second], axis=1)


def _davidson(d: Float64, weight: float) -> Float64:
    logits = np.stack([0.5 * d, np.full_like(d, np.log(weight)), -0.5 * d], axis=1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


_RULES: Mapping[str, Callable[[Float64, float], Float64]] = {
    "constant": _constant,
    "rao-kupper": _rao_kupper,
    "davidson": _davidson,
}
