"""Proposing pairs of segments that could be asked about. Arrays in, indices out."""

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Float32, Int64


def propose_pairs(
    num_recent: int, num_older: int, count: int, *, new_versus_old_share: float, rng: np.random.Generator
) -> Int64:
    """Return candidate pairs (B, 2) of segment indices, left and right; B <= ``count``.

    Indices below ``num_recent`` are recent segments, the next ``num_older`` older ones. Most pairs are both
    recent; a share compares new with old behaviour, which anchors progress. No pair holds a segment twice or
    occurs twice, and the sides are drawn at random, so that neither says which clip is the newer.

    Raises:
        ValueError: there are fewer than two segments.
    """
    if num_recent + num_older < 2 or num_recent < 1:
        raise ValueError(
            f"pairs need two segments, one of them recent; got {num_recent} and {num_older} older."
        )
    if num_recent == 1:
        num_mixed = count
    else:
        num_mixed = round(new_versus_old_share * count) if num_older else 0
    first = rng.integers(num_recent, size=count)
    shift = rng.integers(1, max(2, num_recent), size=count)
    second = (first + shift) % num_recent  # another recent segment, each equally likely
    if num_mixed:
        second[:num_mixed] = num_recent + rng.integers(num_older, size=num_mixed)
    pairs = np.stack([first, second], axis=1)
    unordered, keep = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    pairs = pairs[np.sort(keep)] if len(unordered) < len(pairs) else pairs
    swap = rng.random(len(pairs)) < 0.5
    pairs[swap] = pairs[swap][:, ::-1]
    return rng.permutation(pairs).astype(np.int64)


def summaries(features: Float32) -> Float32:
    """Return one vector per segment, (S, 3 F): mean, spread and net change of its features (S, L, F).

    Columns are scaled to the same spread, so that distances mean "looks different".
    """
    check_shape("features", features, (None, None, None))
    parts = (features.mean(axis=1), features.std(axis=1), features[:, -1] - features[:, 0])
    columns = np.concatenate(parts, axis=1)
    spread = columns.std(axis=0)
    return np.asarray((columns - columns.mean(axis=0)) / np.where(spread > 1e-6, spread, 1.0), np.float32)


def spread_out(points: Float32, count: int, rng: np.random.Generator) -> Int64:
    """Return ``count`` indices of points (S, K) far from each other: greedy k-centre, random first.

    Returns fewer when there are fewer points.
    """
    chosen = [int(rng.integers(len(points)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        distance[chosen] = -1.0
    return np.array(chosen, np.int64)
