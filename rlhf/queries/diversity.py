"""How far apart behaviours are: summaries of segments, distances of pairs, k-centre picks."""

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Int64

_SMALLEST_SD = 1e-6


def summarise(features: Float32) -> Float32:
    """Return one row per segment that says what it looked like: mean, spread and net change per feature.

    Columns are standardised over the segments, so that distances weigh every feature alike.

    Args:
        features: raw features of each step, (S, L, F).

    Returns:
        float32 (S, 3 F).
    """
    check_shape("features", features, (None, None, None))
    rows = np.concatenate(
        [features.mean(axis=1), features.std(axis=1), features[:, -1] - features[:, 0]],
        axis=1,
        dtype=np.float64,
    )
    sd = rows.std(axis=0)
    sd[sd < _SMALLEST_SD] = 1.0
    return np.asarray((rows - rows.mean(axis=0)) / sd, dtype=np.float32)


def k_centre(summaries: Float32, count: int, rng: np.random.Generator) -> Int64:
    """Return segments that cover the behaviour: each one the farthest from all picked before it.

    Args:
        summaries: (S, D).
        count: how many to pick, at most S.
        rng: draws the first one.

    Returns:
        Distinct indices, int64 (count,).

    Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance": within a factor of
    two of the best possible cover.
    """
    count = min(count, len(summaries))
    picked = np.empty(count, dtype=np.int64)
    nearest = np.full(len(summaries), np.inf)
    for slot in range(count):
        picked[slot] = rng.integers(len(summaries)) if slot == 0 else nearest.argmax()
        nearest = np.minimum(nearest, np.linalg.norm(summaries - summaries[picked[slot]], axis=1))
        nearest[picked[: slot + 1]] = -1.0  # so that none comes twice among identical ones
    return picked


def look_alike(summaries: Float32, first: Int64, second: Int64, percentile: float) -> Bool:
    """Return which pairs show nearly the same thing twice, (B,).

    Those whose segments are nearer to each other than the given percentile of all the pairs.
    """
    distance = np.linalg.norm(summaries[first] - summaries[second], axis=1)
    return np.asarray((distance < np.percentile(distance, percentile)) | (distance == 0.0))


def distances_to_pair(summaries: Float32, first: Int64, second: Int64, left: int, right: int) -> Float32:
    """Return how different the questions (first, second) are from one question, float32 (B,).

    Both sides have to match for two questions to be alike; swapping the sides of one changes nothing.
    """
    straight = _squared(summaries, first, left) + _squared(summaries, second, right)
    crossed = _squared(summaries, first, right) + _squared(summaries, second, left)
    return np.asarray(np.sqrt(np.minimum(straight, crossed)))


def _squared(summaries: Float32, segments: Int64, one: int) -> Float32:
    difference: Float32 = summaries[segments] - summaries[one]
    return np.asarray((difference**2).sum(axis=1))
