"""Pairs of segments that could be asked about, before anyone looks at how informative they are.

Segments are known here only by index, age and policy version.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Int64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidates:
    """B pairs of segment indices in random order, no pair twice."""

    first: Int64
    """(B,), the segment to be shown left."""
    second: Int64
    """(B,), the segment to be shown right; never the same as ``first``."""
    near_on_policy: Bool
    """(B,): both segments come from recent episodes, so the pair may serve as an audit."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.first)


def propose(
    episode: Int64,
    policy_version: Int64,
    num_candidates: int,
    *,
    recent_episodes: int,
    new_versus_old_share: float,
    rng: np.random.Generator,
) -> Candidates:
    """Draw candidate pairs: most within recent behaviour, some of it against an older policy's.

    The first keep the reward right where the policy is now; the second anchor progress and notice a
    policy that got worse. Sides are drawn at random, so that left is not the newer or the better one.

    Args:
        episode: each segment's episode, numbered in the order they were played, (S,).
        policy_version: version of the policy that acted, (S,).
        num_candidates: pairs wanted, B.
        recent_episodes: how many of the newest episodes count as recent, if they hold two segments.
        new_versus_old_share: share of pairs of a recent segment with an older one of an older version;
            where no older version exists, all pairs are recent.
        rng: draws pairs, sides and order.

    Returns:
        At most ``num_candidates`` pairs; fewer only if recent behaviour has no more.
    """
    check_shape("policy_version", policy_version, episode.shape)
    is_recent = _is_recent(episode, recent_episodes)
    recent = np.flatnonzero(is_recent)
    older = np.flatnonzero(~is_recent & (policy_version < policy_version.max(initial=0)))
    num_mixed = int(rng.binomial(num_candidates, new_versus_old_share)) if len(older) else 0
    mixed = _draw(num_mixed, len(recent) * len(older), lambda code: _grid(code, recent, older), rng)
    num_near = num_candidates - len(mixed)
    near = _draw(num_near, math.comb(len(recent), 2), lambda code: _triangle(code, recent), rng)
    pairs = np.concatenate([near, mixed])
    swapped = rng.random(len(pairs)) < 0.5
    pairs[swapped] = pairs[swapped, ::-1]
    order = rng.permutation(len(pairs))
    return Candidates(
        first=pairs[order, 0],
        second=pairs[order, 1],
        near_on_policy=(np.arange(len(pairs)) < len(near))[order],
    )


def _is_recent(episode: Int64, recent_episodes: int) -> Bool:
    """Return which segments belong to the newest episodes, (S,); all if those hold fewer than two."""
    newest = np.unique(episode)[-recent_episodes:]
    recent: Bool = np.isin(episode, newest)
    return recent if recent.sum() >= 2 else np.ones(len(episode), dtype=np.bool_)


def _draw(count: int, total: int, decode: Callable[[Int64], Int64], rng: np.random.Generator) -> Int64:
    """Return up to ``count`` of ``total`` numbered pairs, (K, 2), uniform without replacement."""
    if total == 0:
        return np.empty((0, 2), np.int64)
    return decode(rng.choice(total, size=min(total, count), replace=False).astype(np.int64))


def _grid(code: Int64, rows: Int64, columns: Int64) -> Int64:
    """Return pair number ``code`` (K,) of all pairs of a row and a column entry, (K, 2)."""
    width = max(1, len(columns))
    return np.stack([rows[code // width], columns[code % width]], axis=1)


def _triangle(code: Int64, entries: Int64) -> Int64:
    """Return pair number ``code`` (K,) of all pairs of two entries, (K, 2): (0,1), (0,2), (1,2), (0,3)..."""
    larger = ((1.0 + np.sqrt(1.0 + 8.0 * code)) / 2.0).astype(np.int64)
    smaller = code - larger * (larger - 1) // 2
    return np.stack([entries[smaller], entries[larger]], axis=1)
