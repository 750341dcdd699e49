"""What behaviour is worth as long as nothing is known of what people want: being unlike what was seen."""

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Float32

NEIGHBOUR = 5
"""The distance counts to the nearest but so many less one: one like it by chance makes nothing old."""
_SMALLEST_SD = 1e-6


def novelty(observations: Float32, seen: Float32) -> Float32:
    """Return log(1 + distance to the ``NEIGHBOUR``-th nearest seen observation), float32 (...), not negative.

    Distances are in standard deviations of what was seen, entry by entry. The mean over behaviour is an
    estimate of the entropy of the observations, so a policy that is paid this visits all it can reach alike.
    Sources: https://arxiv.org/abs/2106.05091 (unsupervised exploration before the first questions) with the 1
    in the logarithm of https://arxiv.org/abs/2103.04551, which bounds it below. Not divided by a running
    deviation as in the former: PPO scales rewards itself.

    Args:
        observations: raw, (..., D).
        seen: raw, of all behaviour so far or evenly drawn from it, (M, D) with M > 0.

    Raises:
        ShapeError: the entries do not match, or nothing was seen.
    """
    check_shape("observations", observations, (*observations.shape[:-1], *seen.shape[1:]))
    check_shape("seen", seen, (max(1, len(seen)), None))
    scale = np.maximum(seen.std(axis=0), _SMALLEST_SD)
    centre = seen.mean(axis=0)
    states = ((observations - centre) / scale).reshape(-1, observations.shape[-1])
    known = (seen - centre) / scale
    squares = np.square(states).sum(axis=1)[:, None] + np.square(known).sum(axis=1) - 2.0 * states @ known.T
    place = min(NEIGHBOUR, len(seen)) - 1
    nearest = np.partition(squares, place, axis=1)[:, place]
    distances = np.sqrt(np.maximum(nearest, 0.0))  # rounding may take a square below 0
    return np.log1p(distances).reshape(observations.shape[:-1]).astype(np.float32)
