"""Choosing what to ask: the most telling candidates, a share of random audits, and no near-duplicates."""

import dataclasses
from typing import Literal

import numpy as np

from rlhf.queries.acquisition import ACQUISITIONS
from rlhf.queries.candidates import spread_out
from rlhf.types.experience import Float32, Float64, Int64
from rlhf.types.feedback import QueryKind


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """How pairs are chosen."""

    acquisition: Literal["random", "disagreement", "entropy", "bald"] = "disagreement"
    """What makes a pair worth asking; see ``queries.acquisition``."""
    candidates_per_query: int = 10
    """Pairs proposed for each that is asked. More: more telling pairs, less variety. 5 to 50."""
    audit_share: float = 0.15
    """Share of random near-on-policy pairs, judged before they are learned from: the unbiased accuracy."""
    new_versus_old_share: float = 0.25
    """Share of candidates that compare recent with older behaviour."""
    tie_margin: float = 0.03
    """Pairs that all members hold for ties to within this are not asked."""
    duplicate_quantile: float = 0.05
    """The most alike share of candidate pairs, which people could not tell apart, is not asked."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.candidates_per_query < 1:
            raise ValueError(f"candidates_per_query is {self.candidates_per_query}; at least 1 is needed.")
        for name in ("audit_share", "new_versus_old_share", "tie_margin", "duplicate_quantile"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChosenPair:
    """A pair to be asked, by segment indices."""

    left: int
    right: int
    kind: QueryKind
    score: float | None = None
    """What the acquisition function gave; None where nothing was scored."""
    predicted: float | None = None
    """The model's P(left preferred), None without a model."""


def select_initial(points: Float32, count: int, rng: np.random.Generator) -> list[ChosenPair]:
    """Return pairs for the time before there is a model: different behaviours, paired at random.

    Args:
        points: segment summaries (S, K).
        count: pairs wanted; fewer come back when there are fewer than two segments for each.
        rng: draws the pairs.
    """
    spread = rng.permutation(spread_out(points, 2 * count, rng))
    pairs = spread[: len(spread) // 2 * 2].reshape(-1, 2)
    return [ChosenPair(left=int(a), right=int(b), kind=QueryKind.INITIAL) for a, b in pairs]


def select(
    config: QueryConfig,
    pairs: Int64,
    member_probs: Float32,
    points: Float32,
    count: int,
    *,
    num_recent: int,
    rng: np.random.Generator,
) -> list[ChosenPair]:
    """Return up to ``count`` pairs, audits among them, in random order; no segment occurs twice.

    Args:
        config: how to choose.
        pairs: candidates (B, 2), left and right segment index.
        member_probs: each member's P(left preferred), (M, B).
        points: segment summaries (S, K).
        count: pairs wanted.
        num_recent: indices below this are recent segments; audits are of these only.
        rng: draws audits and order.
    """
    mean = np.asarray(member_probs.mean(axis=0), np.float64)
    scores = ACQUISITIONS[config.acquisition](member_probs, rng)
    num_audits = int(rng.binomial(count, config.audit_share))
    is_recent = (pairs < num_recent).all(axis=1)
    audits = _take_apart(pairs, np.flatnonzero(is_recent), num_audits, taken=set())
    taken = {int(segment) for row in audits for segment in pairs[row]}
    order = np.argsort(-scores, kind="stable")
    order = order[_can_be_told_apart(config, pairs, member_probs, points)[order]]
    active = _take_apart(pairs, order, count - len(audits), taken)
    chosen = [(row, QueryKind.AUDIT) for row in audits] + [(row, QueryKind.ACTIVE) for row in active]
    return [
        ChosenPair(
            left=int(pairs[row, 0]),
            right=int(pairs[row, 1]),
            kind=kind,
            score=float(scores[row]),
            predicted=float(mean[row]),
        )
        for row, kind in (chosen[i] for i in rng.permutation(len(chosen)))
    ]


def _take_apart(pairs: Int64, order: Int64, count: int, taken: set[int]) -> list[int]:
    """Return the first ``count`` rows in ``order`` that share no segment with each other or ``taken``."""
    rows: list[int] = []
    used = set(taken)
    for row in order:
        if len(rows) == count:
            break
        segments = {int(pairs[row, 0]), int(pairs[row, 1])}
        if not segments & used:
            rows.append(int(row))
            used |= segments
    return rows


def _can_be_told_apart(
    config: QueryConfig, pairs: Int64, member_probs: Float32, points: Float32
) -> np.typing.NDArray[np.bool_]:
    distance: Float64 = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1).astype(np.float64)
    differs = distance > np.quantile(distance, config.duplicate_quantile)
    is_tie = (np.abs(member_probs - 0.5) < config.tie_margin).all(axis=0)
    allowed = differs & ~is_tie
    # All alike or all ties: asking something is better than asking nothing.
    return allowed if allowed.any() else np.ones(len(pairs), np.bool_)
