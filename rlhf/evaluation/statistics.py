"""Scores of several tasks and seeds, and shares of few trials, with what is not known about them. Pure.

Source of the aggregates over tasks: https://arxiv.org/abs/2108.13264.
"""

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from rlhf.types.experience import Float64


def interquartile_mean(values: Float64) -> float:
    """Return the mean without the lowest and the highest quarter (each rounded down) of all values.

    Less moved by one lucky or failed run than the mean, and less noisy than the median.

    Raises:
        ValueError: there are no values.
    """
    if not values.size:
        raise ValueError("there are no values to take the interquartile mean of.")
    ordered = np.sort(values, axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def bootstrap_interval(
    strata: Sequence[Float64],
    statistic: Callable[[Float64], float],
    rng: np.random.Generator,
    *,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of ``statistic`` over all values, resampled within each stratum.

    Args:
        strata: one array of scores per task, (seeds,) each; seeds are drawn anew within their task, so that
            every resample holds every task as often as the data.
        statistic: of all values together, e.g. ``interquartile_mean``.
        rng: draws the resamples.
        num_resamples: more give a steadier interval.
        confidence: share of the resamples inside the interval.

    Raises:
        ValueError: a stratum is empty.
    """
    if not strata or not all(len(values) for values in strata):
        raise ValueError("every stratum needs at least one value.")
    results = np.empty(num_resamples)
    for k in range(num_resamples):
        resampled = [values[rng.integers(len(values), size=len(values))] for values in strata]
        results[k] = statistic(np.concatenate(resampled))
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(results, [tail, 1.0 - tail])
    return float(low), float(high)


def wilson_interval(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a probability of which ``successes`` of ``trials`` were seen; (0, 1) for none.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference". Unlike the
    usual standard error it is right for few trials and near 0 and 1.
    """
    if trials == 0:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
    share, extra = successes / trials, z**2 / trials
    centre = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / trials + extra / (4 * trials))
    return centre - half, centre + half


def rolling_share(
    outcomes: Float64, window: int, confidence: float = 0.95
) -> tuple[Float64, Float64, Float64]:
    """Return the share of successes among the latest ``window`` outcomes up to each, with its interval.

    Args:
        outcomes: 1 success, 0 failure, 0.5 neither, (N,).
        window: how many the share is of; the first points are of fewer.
        confidence: of the Wilson interval.

    Returns:
        Share, lower and upper end, (N,) each.
    """
    sums = np.concatenate([[0.0], np.cumsum(outcomes)])
    ends = np.arange(1, len(sums))
    starts = np.maximum(0, ends - window)
    successes, trials = sums[ends] - sums[starts], ends - starts
    bounds = [wilson_interval(s, int(n), confidence) for s, n in zip(successes, trials, strict=True)]
    low, high = np.array(bounds, np.float64).reshape(-1, 2).T
    return successes / trials, low, high


def difference_interval(
    successes: float, trials: int, other_successes: float, other_trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the difference of two independent probabilities, the first less the other.

    (-1, 1) where either was never tried. Source: Newcombe 1998, "Interval estimation for the difference
    between independent proportions", method 10, made of two Wilson intervals.
    """
    if trials == 0 or other_trials == 0:
        return -1.0, 1.0
    share, other = successes / trials, other_successes / other_trials
    low, high = wilson_interval(successes, trials, confidence)
    other_low, other_high = wilson_interval(other_successes, other_trials, confidence)
    below = math.hypot(share - low, other_high - other)
    above = math.hypot(high - share, other - other_low)
    return share - other - below, share - other + above


def error_of_difference(values: Float64, others: Float64) -> Float64:
    """Return the standard error of the difference of two means, along the first axis; infinite for one value.

    Args:
        values: (N, ...).
        others: (M, ...), independent of them.
    """
    if min(len(values), len(others)) < 2:
        return np.full(values.shape[1:], np.inf)
    error: Float64 = np.sqrt(values.var(0, ddof=1) / len(values) + others.var(0, ddof=1) / len(others))
    return error


def probability_of_winning(wins: int, losses: int) -> float:
    """Return P(p > 1/2) of the chance p to win, from a uniform prior: p ~ Beta(1 + wins, 1 + losses).

    For whole numbers the Beta's tail is a binomial one: P(Binomial(wins + losses + 1, 1/2) <= wins).
    """
    trials = wins + losses + 1
    return float(sum(math.comb(trials, k) for k in range(wins + 1)) / 2**trials)
