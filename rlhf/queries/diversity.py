"""How far apart behaviours are: what segments look like in numbers, distances, k-centre picks, clusters."""

from collections.abc import Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Int64

_SMALLEST_SD = 1e-6
_ROUNDING = 1e-10
"""Squared distances of standardised rows below this are zero."""


def describe_motion(observations: Float32, absorbing: Bool) -> Float32:
    """Return what one segment looked like, as numbers: where, how varied, how fast, where to, how ended.

    Of every observed quantity the mean, the spread, the spread of its changes and the net change; last the
    share of the time after an early end. Actions are left out: people do not see them.

    Args:
        observations: raw, (L+1, D).
        absorbing: whether a step was spent in the absorbing state, (L,).

    Returns:
        float32 (4 D + 1,), in raw units; see ``standardise``.
    """
    check_shape("observations", observations, (len(absorbing) + 1, None))
    shown = observations.astype(np.float64)
    changes = np.diff(shown, axis=0)
    columns = (shown.mean(axis=0), shown.std(axis=0), changes.std(axis=0), shown[-1] - shown[0])
    return np.concatenate([*columns, [absorbing.mean()]]).astype(np.float32)


def motion_names(observation_names: Sequence[str]) -> tuple[str, ...]:
    """Return what each of ``describe_motion``'s 4 D + 1 numbers says, for people.

    Args:
        observation_names: names of the D entries of an observation.
    """
    patterns = ("{}", "variation of {}", "quick changes of {}", "rise of {}")
    names = (pattern.format(name) for pattern in patterns for name in observation_names)
    return (*names, "time after the end")


def standardise(motions: Float32) -> Float32:
    """Return ``describe_motion``'s rows (S, D) with every column in its standard deviations over the rows.

    They are also divided by sqrt(D): distances are then root mean squares over the columns, the same
    for small and for large observations.
    """
    check_shape("motions", motions, (None, None))
    if not len(motions):
        return motions
    rows = motions.astype(np.float64)
    sd = rows.std(axis=0)
    sd[sd < _SMALLEST_SD] = np.inf
    return np.asarray((rows - rows.mean(axis=0)) / (sd * np.sqrt(rows.shape[1])), dtype=np.float32)


def k_centre(motions: Float32, count: int, rng: np.random.Generator) -> Int64:
    """Return segments that cover the behaviour: each one the farthest from all picked before it.

    Args:
        motions: (S, D).
        count: how many to pick, at most S.
        rng: draws the first one.

    Returns:
        Distinct indices, int64 (count,).

    Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance": within a factor of
    two of the best possible cover.
    """
    count = min(count, len(motions))
    picked = np.empty(count, dtype=np.int64)
    nearest = np.full(len(motions), np.inf)
    for slot in range(count):
        picked[slot] = rng.integers(len(motions)) if slot == 0 else nearest.argmax()
        nearest = np.minimum(nearest, np.linalg.norm(motions - motions[picked[slot]], axis=1))
        nearest[picked[: slot + 1]] = -1.0  # so that none comes twice among identical ones
    return picked


def nearest_of(motions: Float32, others: Float32) -> Float32:
    """Return the distance of each segment (S, D) to the nearest of ``others`` (K, D), float32 (S,).

    Infinite if there are no others.
    """
    return np.asarray(_distances(motions, others).min(axis=1, initial=np.inf), dtype=np.float32)


def clusters(motions: Float32, count: int, rng: np.random.Generator) -> Int64:
    """Return the kind of behaviour of each segment, (S,): the nearest of ``count`` covering ones."""
    return np.asarray(
        _distances(motions, motions[k_centre(motions, count, rng)]).argmin(axis=1), dtype=np.int64
    )


def asked_before(motions: Float32, pairs: Int64, asked: Int64, limit: float) -> Bool:
    """Return which pairs show nearly what an earlier one did, sides swapped or not, (B,).

    Args:
        motions: (S, D).
        pairs: indices of both segments, (B, 2).
        asked: indices of both segments of the earlier pairs, (A, 2).
        limit: both clips have to be at most so far from the earlier ones.
    """
    if not len(asked):
        return np.zeros(len(pairs), dtype=np.bool_)
    rows, row_of = np.unique(pairs, return_inverse=True)
    columns, column_of = np.unique(asked, return_inverse=True)
    near = _distances(motions[rows], motions[columns]) <= limit
    left, right = row_of.reshape(pairs.shape).T
    first, second = column_of.reshape(asked.shape).T
    straight = near[np.ix_(left, first)] & near[np.ix_(right, second)]
    crossed = near[np.ix_(left, second)] & near[np.ix_(right, first)]
    return np.asarray((straight | crossed).any(axis=1))


def distances_to_pair(motions: Float32, first: Int64, second: Int64, left: int, right: int) -> Float32:
    """Return how different the questions (first, second) are from one question, float32 (B,).

    Both sides have to match for two questions to be alike; swapping the sides of one changes nothing.
    """
    straight = _squared(motions, first, left) + _squared(motions, second, right)
    crossed = _squared(motions, first, right) + _squared(motions, second, left)
    return np.asarray(np.sqrt(np.minimum(straight, crossed)))


def _squared(motions: Float32, segments: Int64, one: int) -> Float32:
    difference: Float32 = motions[segments] - motions[one]
    return np.asarray((difference**2).sum(axis=1))


def _distances(motions: Float32, others: Float32) -> Float32:
    """Return all Euclidean distances, float32 (S, K)."""
    rows, columns = motions.astype(np.float64), others.astype(np.float64)
    squared = (rows**2).sum(axis=1)[:, None] + (columns**2).sum(axis=1) - 2.0 * rows @ columns.T
    # Rounding leaves a little of what should be nothing, and equal rows must be found equal.
    return np.sqrt(np.where(squared < _ROUNDING, 0.0, squared)).astype(np.float32)
