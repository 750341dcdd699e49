"""Queries taken one by one into a batch, within what a batch may hold.

Knows what was taken and what that rules out; not why anything is worth asking.
"""

import math

import numpy as np

from rlhf.queries.diversity import distances_to_pair
from rlhf.types.experience import Bool, Float32, Int64

Pair = tuple[int, int]
"""Indices of the segments shown left and right."""


class Batch:
    """Runs of queries: a single query, or a chain in which each shares a clip with the one before.

    Nothing else shares a segment.

    Args:
        motions: of all segments, (S, D).
        num_queries: K, how many there is room for.
    """

    def __init__(self, motions: Float32, num_queries: int) -> None:
        self.runs: list[list[Pair]] = []
        self._motions = motions
        self._room = num_queries
        self._is_used = np.zeros(len(motions), dtype=np.bool_)
        self._cluster = np.zeros(len(motions), dtype=np.int64)
        self._left_of_cluster = np.array([math.inf])

    @property
    def is_full(self) -> bool:
        """Whether there are K queries."""
        return self._room == 0

    def limit_clusters(self, cluster: Int64, pairs: Int64, share: float) -> None:
        """Let no kind of behaviour have more of the room that is left than ``share``.

        Args:
            cluster: kind of behaviour of each segment, (S,).
            pairs: the candidates, (B, 2); a kind that more of them show may have that much.
            share: in [0, 1].
        """
        shown = [np.count_nonzero((cluster[pairs] == kind).any(axis=1)) for kind in range(cluster.max() + 1)]
        shares = np.maximum(share, np.array(shown) / len(pairs))
        self._cluster, self._left_of_cluster = cluster, np.ceil(shares * self._room)

    def fits(self, *segments: int) -> bool:
        """Whether segments that are new to the batch may be shown together in one more query."""
        return not self.is_full and not any(
            self._is_used[one] or self._left_of_cluster[self._cluster[one]] < 1 for one in segments
        )

    def free(self, segments: Int64) -> Int64:
        """Return those of the segments that no query shows yet."""
        return segments[~self._is_used[segments]]

    def begin(self, pair: Pair) -> None:
        """Take a query with two segments of its own."""
        self.runs.append([])
        self._take(pair)

    def go_on(self, pair: Pair) -> None:
        """Take a query that shares a segment with the last one."""
        self._take(pair)

    def _take(self, pair: Pair) -> None:
        self.runs[-1].append(pair)
        self._room -= 1
        self._is_used[list(pair)] = True
        self._left_of_cluster[np.unique(self._cluster[list(pair)])] -= 1


class Spacing:
    """Tells near repeats of the questions chosen so far from new ones.

    Args:
        motions: of all segments, (S, D).
        pairs: the candidates, (B, 2).
        percentile: how near is a repeat, among the candidates' distances from the first question.
    """

    def __init__(self, motions: Float32, pairs: Int64, percentile: float) -> None:
        self._motions, self._pairs, self._percentile = motions, pairs, percentile
        self._nearest = np.full(len(pairs), np.inf)
        self._limit: float | None = None

    def is_repeat(self, row: int) -> bool:
        """Whether candidate ``row`` is nearer to a chosen question than the limit."""
        return self._limit is not None and bool(self._nearest[row] < self._limit)

    def add(self, pair: Pair) -> None:
        """Count a question as chosen."""
        distances = distances_to_pair(self._motions, self._pairs[:, 0], self._pairs[:, 1], *pair)
        if self._limit is None:
            self._limit = float(np.percentile(distances, self._percentile))
        self._nearest = np.minimum(self._nearest, distances)


def look_alike(motions: Float32, pairs: Int64, limit: float) -> Bool:
    """Return which pairs (B, 2) show the same thing twice, (B,): clips less than ``limit`` apart."""
    distance = np.linalg.norm(motions[pairs[:, 0]] - motions[pairs[:, 1]], axis=1)
    return np.asarray((distance < limit) | (distance == 0.0))
