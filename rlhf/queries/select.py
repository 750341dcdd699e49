"""Candidates and what the ensemble thinks of them -> the queries to ask.

Knows indices, probabilities and what segments look like; neither clips nor people.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from rlhf.checks import check_shape
from rlhf.queries.acquisition import acquisition
from rlhf.queries.batch import Batch, Pair, Spacing, look_alike
from rlhf.queries.candidates import Candidates, propose
from rlhf.queries.config import QueryConfig
from rlhf.queries.diversity import asked_before, clusters, k_centre
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.feedback import QueryKind

Predict = Callable[[Int64, Int64], Float32]
"""predict(first, second): every member's P(answer is first) of pairs of segments (B,) each, (M, B); segments
are indices into ``motions``."""


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
    predict: Predict,
    motions: Float32,
    asked: Int64,
    num_queries: int,
    config: QueryConfig,
    rng: np.random.Generator,
) -> Selection:
    """Choose queries: a few audits at random, the rest by what the ensemble could learn.

    No segment appears twice in a batch, but for the links of a chain. Audits come first, uniformly from the
    near-on-policy pairs, blind to the score and never in a chain. The rest is taken greedily by score,
    leaving out predicted ties, pairs whose clips look alike, what was asked before, near repeats within the
    batch and too much of one kind of behaviour; repeats come back in if nothing else is left. Slots that are
    still empty stay empty: what is left over when the best are gone is no random sample, and would bias the
    audit.

    Args:
        candidates: B pairs.
        predict: what the ensemble expects to be answered.
        motions: what segments look like, from ``standardise``, (S, D).
        asked: pairs asked earlier, as indices into ``motions``, (A, 2).
        num_queries: K, how many to choose.
        config: shares, acquisition and limits.
        rng: draws audits, links and the order.

    Returns:
        At most ``num_queries`` queries, fewer if there is nothing else worth asking or the candidates run out
        of unused segments.
    """
    check_shape("asked", asked, (None, 2))
    if len(candidates) == 0:
        return _selection([], {}, QueryKind.ACTIVE)
    chooser = _Chooser(candidates, predict, motions, asked, config, rng)
    batch = Batch(motions, num_queries)
    # rounding at random keeps the share right for small batches too
    num_audits = min(num_queries, math.floor(num_queries * config.audit_share + rng.random()))
    for row in rng.permutation(np.flatnonzero(candidates.near_on_policy)).tolist():
        if len(batch.runs) == num_audits:
            break
        if batch.fits(*chooser.pairs[row]):
            batch.begin(chooser.pair(row))
    num_audits = len(batch.runs)
    chooser.choose(batch)
    order = rng.permutation(len(batch.runs)).tolist()
    chosen = [(pair, run < num_audits) for run in order for pair in batch.runs[run]]
    audits = {pair for pair, is_audit in chosen if is_audit}
    return _selection([pair for pair, _ in chosen], chooser.scores, QueryKind.ACTIVE, audits)


def select_initial(
    motions: Float32,
    num_segments: int,
    asked: Int64,
    num_queries: int,
    config: QueryConfig,
    rng: np.random.Generator,
) -> Selection:
    """Choose queries before there is a reward model: random pairs of segments that cover the behaviour.

    Args:
        motions: what segments look like, from ``standardise``, (S, D).
        num_segments: the first so many of them can be asked about.
        asked: pairs asked earlier, as indices into ``motions``, (A, 2).
        num_queries: K; each takes two segments of its own, or any two where there are too few.
        config: limits of what is worth asking.
        rng: draws the cover's start, the pairs and their sides.

    Returns:
        At most ``num_queries`` queries; fewer where there are no more pairs that people can tell apart and
        that have not been asked.
    """
    own = motions[:num_segments]
    if num_segments >= 2 * num_queries:
        pairs = rng.permutation(k_centre(own, 2 * num_queries, rng)).reshape(-1, 2)
    else:
        one_age = np.zeros(num_segments, dtype=np.int64)
        drawn = propose(
            one_age,
            one_age,
            num_queries,
            recent_episodes=1,
            new_versus_old_share=0.0,
            low_density_share=0.0,
            rarity=np.zeros(num_segments, dtype=np.float32),
            num_even=num_segments,
            rng=rng,
        )
        pairs = np.stack([drawn.first, drawn.second], axis=1)
    pairs = pairs[_is_new_and_clear(pairs, motions, asked, config)]
    return _selection([(int(a), int(b)) for a, b in pairs], {}, QueryKind.INITIAL)


class _Chooser:
    """Takes candidates, and links of chains between them, by score."""

    def __init__(
        self,
        candidates: Candidates,
        predict: Predict,
        motions: Float32,
        asked: Int64,
        config: QueryConfig,
        rng: np.random.Generator,
    ) -> None:
        self.pairs = np.stack([candidates.first, candidates.second], axis=1)
        self.scores: dict[Pair, float] = {}
        self._predict, self._motions, self._asked = predict, motions, asked
        self._config, self._rng = config, rng
        self._probs = predict(candidates.first, candidates.second)
        check_shape("member_probs", self._probs, (None, len(candidates)))
        near = candidates.near_on_policy
        self._targets = self._probs[:, near] if near.any() else self._probs
        self._segments = np.unique(self.pairs)
        # Whoever has learned nothing yet takes everything for a tie, and would never ask again.
        self._decision = _decision(predict(asked[:, 0], asked[:, 1])) if len(asked) else 1.0

    def pair(self, row: int) -> Pair:
        """Return candidate number ``row``."""
        return int(self.pairs[row, 0]), int(self.pairs[row, 1])

    def choose(self, batch: Batch) -> None:
        """Fill the batch with the best candidates, first those that are no near repeats."""
        config = self._config
        scores = self._score(self.pairs, self._probs)
        by_score = np.argsort(-scores, kind="stable")
        by_score = by_score[np.isfinite(scores[by_score])]
        if config.cluster_share < 1.0:
            cluster = clusters(self._motions, config.num_clusters, self._rng)
            batch.limit_clusters(cluster, self.pairs, config.cluster_share)
        spacing = Spacing(self._motions, self.pairs, config.repeat_percentile)
        for repeats_allowed in (False, True):
            for row in by_score.tolist():
                if not batch.fits(*self.pairs[row]) or (not repeats_allowed and spacing.is_repeat(row)):
                    continue
                pair = self.pair(row)
                batch.begin(pair)
                spacing.add(pair)
                self.scores[pair] = float(scores[row])
                self._chain(batch, spacing, pair[1])

    def _chain(self, batch: Batch, spacing: Spacing, newest: int) -> None:
        """Go on from a query: its newer clip beside the segment that tells most, and so on.

        The winner is not kept: a clip is in two queries at most, or the best one so far would be in all.
        """
        for _ in range(self._config.chain_length - 1):
            others = batch.free(self._segments)
            others = self._rng.permutation(others)[: self._config.candidates_per_query]
            others = np.array([one for one in others if batch.fits(one)], dtype=np.int64)
            if not len(others):
                return
            pairs = np.stack([np.full_like(others, newest), others], axis=1)
            scores = self._score(pairs, self._predict(pairs[:, 0], pairs[:, 1]))
            best = int(scores.argmax())
            if not np.isfinite(scores[best]):
                return
            other = int(others[best])
            pair = (newest, other) if self._rng.random() < 0.5 else (other, newest)
            batch.go_on(pair)
            spacing.add(pair)
            self.scores[pair] = float(scores[best])
            newest = other

    def _score(self, pairs: Int64, member_probs: Float32) -> Float32:
        """Return the acquisition's score of each pair (B, 2), minus infinity for those not worth asking."""
        config = self._config
        is_tie = np.abs(member_probs.mean(axis=0) - 0.5) < config.tie_margin * self._decision
        is_settled = is_tie & (member_probs.std(axis=0) < config.tie_spread * self._decision)
        is_worth = ~is_settled & _is_new_and_clear(pairs, self._motions, self._asked, config)
        scores = acquisition(config.acquisition)(member_probs, self._targets)
        return np.where(is_worth, scores, -np.inf).astype(np.float32)


def _decision(member_probs: Float32) -> float:
    """Return how decided the members are about pairs on the whole, from 0 to 1."""
    return 2.0 * float(np.sqrt(np.mean((member_probs.mean(axis=0) - 0.5) ** 2)))


def _is_new_and_clear(pairs: Int64, motions: Float32, asked: Int64, config: QueryConfig) -> Bool:
    """Return which pairs (B, 2) people can tell apart and have not been asked about yet, (B,)."""
    limit = config.look_alike_distance
    is_repeat = asked_before(motions, pairs, asked, limit)
    return np.asarray(~look_alike(motions, pairs, limit) & ~is_repeat)


def _selection(
    pairs: list[Pair], scores: dict[Pair, float], kind: QueryKind, audits: set[Pair] | None = None
) -> Selection:
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Selection(
        first=columns[:, 0],
        second=columns[:, 1],
        kinds=tuple(QueryKind.AUDIT if pair in (audits or ()) else kind for pair in pairs),
        scores=np.array([scores.get(pair, 0.0) for pair in pairs], dtype=np.float32),
    )
