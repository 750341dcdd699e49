"""How well two ways of judging agree. Pure; for people and reports, never for learning."""

import numpy as np
import pandas as pd

from rlhf.types.experience import Float64


def rank_correlation(first: Float64, second: Float64) -> float:
    """Return Spearman's rank correlation of two arrays (B,); ties share their mean rank.

    NaN when either is constant or there are fewer than two values.
    """
    if len(first) < 2:
        return float("nan")
    ranks = [pd.Series(np.asarray(values)).rank().to_numpy(np.float64) for values in (first, second)]
    deviations = [rank - rank.mean() for rank in ranks]
    scale = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return float((deviations[0] * deviations[1]).sum() / scale) if scale > 0 else float("nan")


def preference_accuracy(predicted: Float64, target: Float64) -> float:
    """Return the share of comparisons predicted right; ties are left out, a prediction of .5 counts half.

    Args:
        predicted: P(first preferred) before the answer was known, (Q,).
        target: what was answered, 1, 0 or .5, (Q,).
    """
    decided = target != 0.5
    if not decided.any():
        return float("nan")
    right = np.where(predicted == 0.5, 0.5, (predicted > 0.5) == (target > 0.5))
    return float(right[decided].mean())
