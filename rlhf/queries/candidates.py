"""Pairs of segments that could be asked about, before anyone looks at how informative they are.

Segments are known here only by index, age and policy version.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Int64

RARE_SHARE = 0.25
"""Share of the segments that count as low-density: those least like what has been asked about."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidates:
    """B pairs of segment indices in random order, no pair twice."""

    first: Int64
    """(B,), the segment to be shown left."""
    second: Int64
    """(B,), the segment to be shown right; never the same as ``first``."""
    near_on_policy: Bool
    """(B,): both segments come from recent episodes and were drawn evenly, so the pair may serve as an
    audit."""

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
    low_density_share: float,
    rarity: Float32,
    num_even: int,
    rng: np.random.Generator,
) -> Candidates:
    """Draw candidate pairs from three sources: near-on-policy, new against old, low density.

    The first keep the reward right where the policy is now; the second anchor progress and notice a
    policy that got worse; the third ask where nothing has been asked. Sides are drawn at random, so that
    left is not the newer or the better one.

    Args:
        episode: each segment's episode, numbered in the order they were played, (S,).
        policy_version: version of the policy that acted, (S,).
        num_candidates: pairs wanted, B.
        recent_episodes: how many of the newest episodes count as recent, if they hold two segments.
        new_versus_old_share: share of pairs of a recent segment with an older one of an older version;
            where no older version exists, there are none.
        low_density_share: share of pairs of a segment unlike all asked about so far with any other.
        rarity: distance of each segment from the nearest one asked about, (S,).
        num_even: how many of the segments, the first ones, were drawn evenly from behaviour.
        rng: draws pairs, sides and order.

    Returns:
        At most ``num_candidates`` pairs; fewer only if recent behaviour has no more.
    """
    check_shape("policy_version", policy_version, episode.shape)
    check_shape("rarity", rarity, episode.shape)
    is_recent = _is_recent(episode, recent_episodes)
    recent = np.flatnonzero(is_recent)
    older = np.flatnonzero(~is_recent & (policy_version < policy_version.max(initial=0)))
    # A rare segment beside a common one: none is both, so no pair comes twice.
    num_rare = max(1, round(RARE_SHARE * len(rarity)))
    rare, common = np.split(np.argsort(-rarity, kind="stable"), [num_rare])
    num_mixed, num_low, _ = rng.multinomial(
        num_candidates,
        (new_versus_old_share, low_density_share, max(0.0, 1.0 - new_versus_old_share - low_density_share)),
    )
    mixed = _draw(num_mixed, len(recent) * len(older), lambda code: _grid(code, recent, older), rng)
    low = _draw(num_low, len(rare) * len(common), lambda code: _grid(code, rare, common), rng)
    num_near = num_candidates - len(mixed) - len(low)
    near = _draw(num_near, math.comb(len(recent), 2), lambda code: _triangle(code, recent), rng)
    # Near ones come first: a pair that was drawn twice may then serve as an audit.
    pairs = np.concatenate([near, mixed, low])
    _, kept = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    kept = rng.permutation(kept)
    pairs = pairs[kept]
    is_near = (kept < len(near)) & (pairs < num_even).all(axis=1)
    swapped = rng.random(len(pairs)) < 0.5
    pairs[swapped] = pairs[swapped, ::-1]
    return Candidates(first=pairs[:, 0], second=pairs[:, 1], near_on_policy=is_near)


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
