"""Signs that a policy follows a learned reward to where that means nothing. Pure."""

from collections.abc import Sequence

import numpy as np

from rlhf.types.experience import Float32


def diverges(means: Sequence[float], lower_bounds: Sequence[float], updates: int, rise: float) -> bool:
    """Return whether the mean reward has risen without its lower bound over the last ``updates`` updates.

    What the ensemble agrees is better raises both; what only some members like raises the mean alone.

    Args:
        means: mean reward of each rollout under one reward version, oldest first.
        lower_bounds: the same of the mean less the ensemble's spread.
        updates: how far to look back; False where there are not so many.
        rise: in units of the reward.
    """
    if len(means) <= updates:
        return False
    return means[-1] - means[-1 - updates] > rise and lower_bounds[-1] <= lower_bounds[-1 - updates]


def spread_limit(spread: Float32, percentile: float) -> float:
    """Return the ensemble spread (B,) that so many percent of the compared steps stay below."""
    return float(np.percentile(spread, percentile))


def share_above(spread: Float32, limit: float) -> float:
    """Return the share of steps whose ensemble spread passes ``limit``: unlike anything compared so far."""
    return float((spread > limit).mean())
