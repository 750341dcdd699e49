"""Candidates and what the ensemble thinks of them -> the queries to ask.

Knows indices, probabilities and summaries; neither clips nor people.
"""

import dataclasses
import math

import numpy as np

from rlhf.checks import check_shape
from rlhf.queries.acquisition import ACQUISITIONS, acquisition
from rlhf.queries.candidates import Candidates, propose
from rlhf.queries.diversity import distances_to_pair, k_centre, look_alike
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.feedback import QueryKind


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """What to ask next."""

    acquisition: str = "disagreement"
    """How candidates are scored: ``random``, ``disagreement``, ``entropy`` or ``bald``. Even ``random``
    leaves out predicted ties and repeats; for queries blind to the model set ``audit_share`` to 1."""
    candidates_per_query: int = 10
    """Candidate pairs looked at for each query asked. More find better questions, and more extreme ones."""
    audit_share: float = 0.15
    """Share of queries drawn at random from recent behaviour, the only unbiased test; 0.1 to 0.3."""
    new_versus_old_share: float = 0.25
    """Share of candidates that compare recent behaviour with that of an older policy."""
    recent_episodes: int = 10
    """How many of the newest episodes count as near-on-policy."""
    look_alike_percentile: float = 5.0
    """Pairs whose two clips are nearer than this percentile of the candidates are not asked: nobody could
    tell them apart."""
    repeat_percentile: float = 25.0
    """Within a batch no pair is nearer to a chosen one than this percentile of the candidates' distances
    from the first choice, as long as others are left."""
    tie_margin: float = 0.03
    """A mean probability within this of one half counts as a predicted tie..."""
    tie_spread: float = 0.03
    """...if the members' standard deviation is below this too; such pairs are not asked."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.acquisition not in ACQUISITIONS:
            raise ValueError(f"acquisition is {self.acquisition!r}; allowed are {', '.join(ACQUISITIONS)}.")
        if self.candidates_per_query < 1 or self.recent_episodes < 1:
            raise ValueError("candidates_per_query and recent_episodes must be at least 1.")
        for name in ("audit_share", "new_versus_old_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a share lies in [0, 1].")
        for name in ("look_alike_percentile", "repeat_percentile"):
            if not 0.0 <= getattr(self, name) <= 100.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a percentile lies in [0, 100].")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """K queries in the order to ask them."""

    first: Int64
    """(K,), the segment to be shown left."""
    second: Int64
    """(K,), the segment to be shown right."""
    kinds: tuple[QueryKind, ...]
    """Why each is asked, K."""
    scores: Float32
    """(K,), the acquisition's score; 0 for queries that were not chosen by score."""

    def __len__(self) -> int:
        """Return K."""
        return len(self.first)


def select(
    candidates: Candidates,
    member_probs: Float32,
    summaries: Float32,
    num_queries: int,
    config: QueryConfig,
    rng: np.random.Generator,
) -> Selection:
    """Choose queries: a few audits at random, the rest by what the ensemble could learn.

    No segment appears twice in a batch. Audits come first, uniformly from the near-on-policy pairs and
    blind to the score. The rest is taken greedily by score, leaving out predicted ties, pairs whose clips
    look alike and near repeats; repeats come back in if nothing else is left. Slots that are still empty
    stay empty: what is left over when the best are gone is no random sample, and would bias the audit.

    Args:
        candidates: B pairs.
        member_probs: every member's P(answer is first) of each candidate, (M, B).
        summaries: of the segments that the candidates index, (S, D).
        num_queries: K, how many to choose.
        config: shares, acquisition and limits.
        rng: draws audits and the order.

    Returns:
        At most ``num_queries`` queries, fewer if there is nothing else worth asking or the candidates run out
        of unused segments.
    """
    check_shape("member_probs", member_probs, (None, len(candidates)))
    if len(candidates) == 0:
        nothing = np.empty(0, dtype=np.int64)
        return Selection(first=nothing, second=nothing, kinds=(), scores=np.empty(0, dtype=np.float32))
    scores = acquisition(config.acquisition)(member_probs)
    batch = _Batch(candidates, len(summaries), num_queries)
    audits = rng.permutation(np.flatnonzero(candidates.near_on_policy))
    # rounding at random keeps the share right for small batches too
    num_audits = math.floor(num_queries * config.audit_share + rng.random())
    batch.take(audits, num_audits)
    is_worth_asking = _is_worth_asking(candidates, member_probs, summaries, config)
    by_score = np.argsort(-scores, kind="stable")
    by_score = by_score[is_worth_asking[by_score]]
    chosen = batch.take_apart(by_score, summaries, config.repeat_percentile)
    chosen += batch.take(by_score, num_queries)
    order = rng.permutation(len(batch.taken))
    rows = np.array(batch.taken, dtype=np.int64)[order]
    is_active = np.isin(rows, np.array(chosen, dtype=np.int64))
    return Selection(
        first=candidates.first[rows],
        second=candidates.second[rows],
        kinds=tuple(QueryKind.ACTIVE if active else QueryKind.AUDIT for active in is_active),
        scores=np.where(is_active, scores[rows], 0.0).astype(np.float32),
    )


def select_initial(summaries: Float32, num_queries: int, rng: np.random.Generator) -> Selection:
    """Choose queries before there is a reward model: random pairs of segments that cover the behaviour.

    Args:
        summaries: of all segments, (S, D).
        num_queries: K; each takes two segments of its own, or any two where there are too few.
        rng: draws the cover's start, the pairs and their sides.

    Returns:
        At most ``num_queries`` queries; fewer only if there are no more pairs.
    """
    if len(summaries) >= 2 * num_queries:
        first, second = rng.permutation(k_centre(summaries, 2 * num_queries, rng)).reshape(-1, 2).T
    else:
        one_age = np.zeros(len(summaries), dtype=np.int64)
        pairs = propose(one_age, one_age, num_queries, recent_episodes=1, new_versus_old_share=0.0, rng=rng)
        first, second = pairs.first, pairs.second
    return Selection(
        first=first,
        second=second,
        kinds=(QueryKind.INITIAL,) * len(first),
        scores=np.zeros(len(first), dtype=np.float32),
    )


class _Batch:
    """Queries taken so far, no segment in two of them."""

    def __init__(self, candidates: Candidates, num_segments: int, num_queries: int) -> None:
        self._candidates = candidates
        self._is_used = np.zeros(num_segments, dtype=np.bool_)
        self._num_queries = num_queries
        self.taken: list[int] = []

    def take(self, rows: Int64, count: int) -> list[int]:
        """Take up to ``count`` of the candidates ``rows``, in their order; return those taken."""
        new: list[int] = []
        for row in rows.tolist():
            if len(new) == count or len(self.taken) == self._num_queries:
                break
            if self._is_free(row):
                self._mark(row)
                new.append(row)
        return new

    def take_apart(self, rows: Int64, summaries: Float32, percentile: float) -> list[int]:
        """Take from ``rows`` in their order what is not a near repeat of another one taken here."""
        first, second = self._candidates.first, self._candidates.second
        new: list[int] = []
        nearest = np.full(len(first), np.inf)
        limit = 0.0
        for row in rows.tolist():
            if len(self.taken) == self._num_queries:
                break
            if nearest[row] < limit or not self._is_free(row):
                continue
            distances = distances_to_pair(summaries, first, second, int(first[row]), int(second[row]))
            limit = limit if new else float(np.percentile(distances, percentile))
            nearest = np.minimum(nearest, distances)
            self._mark(row)
            new.append(row)
        return new

    def _is_free(self, row: int) -> bool:
        return not (self._is_used[self._candidates.first[row]] or self._is_used[self._candidates.second[row]])

    def _mark(self, row: int) -> None:
        self._is_used[[self._candidates.first[row], self._candidates.second[row]]] = True
        self.taken.append(row)


def _is_worth_asking(
    candidates: Candidates, member_probs: Float32, summaries: Float32, config: QueryConfig
) -> Bool:
    """Return which candidates a person could decide and the ensemble could learn from, (B,)."""
    percentile = config.look_alike_percentile
    alike = look_alike(summaries, candidates.first, candidates.second, percentile)
    is_tie = np.abs(member_probs.mean(axis=0) - 0.5) < config.tie_margin
    is_settled = is_tie & (member_probs.std(axis=0) < config.tie_spread)
    return np.asarray(~alike & ~is_settled)
