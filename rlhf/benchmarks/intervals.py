"""Scores with their 95 % bootstrap interval, as the summaries of benchmarks hold them."""

from collections.abc import Sequence

import numpy as np

from rlhf.evaluation.statistics import bootstrap_interval, interquartile_mean
from rlhf.seeding import generator
from rlhf.types.experience import Float64


def mean_interval(*strata: Float64) -> dict[str, float]:
    """Return ``mean``, ``low`` and ``high`` of values, one per seed; resampled within strata."""
    low, high = bootstrap_interval(strata, _mean, generator(0, "bootstrap"))
    return {"mean": _mean(np.concatenate(strata)), "low": low, "high": high}


def iqm_interval(strata: Sequence[Float64]) -> dict[str, float]:
    """Return ``iqm``, ``low`` and ``high`` of the values of all strata; seeds are resampled within each.

    Args:
        strata: one array of scores per task, (seeds,) each.
    """
    low, high = bootstrap_interval(strata, interquartile_mean, generator(0, "bootstrap"))
    return {"iqm": interquartile_mean(np.concatenate(strata)), "low": low, "high": high}


def _mean(values: Float64) -> float:
    return float(values.mean())
