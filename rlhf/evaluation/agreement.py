"""How well two ways of judging agree. Pure; for people and reports, never for learning."""

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Float64, Int64


def rank_correlation(first: Float64, second: Float64) -> float:
    """Return Spearman's rank correlation of two arrays (B,); ties share their mean rank.

    NaN when either is constant or there are fewer than two values.
    """
    if len(first) < 2:
        return float("nan")
    ranks = [_ranks(values) for values in (first, second)]
    deviations = [rank - rank.mean() for rank in ranks]
    scale = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return float((deviations[0] * deviations[1]).sum() / scale) if scale > 0 else float("nan")


def _ranks(values: Float64) -> Float64:
    _, group_of, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[group_of], np.float64)


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


def foresight(predicted: Float64, target: Float64, *, least_doubt: float = 0.1) -> float:
    """Return by how many standard deviations more was foreseen than the predictions promise; below 0, less.

        z = sum_i (s_i e_i - e_i^2) / sqrt(sum_i e_i^2 (1 - e_i^2)),   e_i = 2 p_i - 1,  s_i = +-1 the answer

    Predictions that are sure of themselves weigh most, and coin tosses nothing, so pairs chosen because they
    are hard say what they can. About standard normal if the predictions are calibrated. 0 without decided
    answers or with nothing but coin tosses.

    Args:
        predicted: P(first preferred) before the answer was known, (Q,).
        target: what was answered, 1, 0 or .5, (Q,); ties are left out.
        least_doubt: no prediction counts as surer than this and its complement: people make mistakes, and one
            against a prediction of .999 would outweigh everything.
    """
    decided = target != 0.5
    expected = 2.0 * np.clip(predicted[decided], least_doubt, 1.0 - least_doubt) - 1.0
    spread = float(np.sqrt((expected**2 * (1.0 - expected**2)).sum()))
    answered = np.where(target[decided] > 0.5, 1.0, -1.0)
    return float((answered * expected - expected**2).sum()) / spread if spread > 0 else 0.0


def krippendorff_alpha(counts: Int64) -> float:
    """Return Krippendorff's alpha of categories: 1 is full agreement, 0 what chance gives, below is worse.

        alpha = 1 - D_observed / D_expected,
        D_observed = 1/n sum_u sum_{c != k} n_uc n_uk / (m_u - 1),
        D_expected = sum_{c != k} n_c n_k / (n (n - 1))

    with m_u values of unit u, n_uc of them in category c, and n values in all. Units with fewer than two
    values say nothing and are left out. NaN when nobody overlaps or only one category was ever used.

    Args:
        counts: how many people put unit u into category c, (U, C).

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": any number of observers, data
    missing.
    """
    check_shape("counts", counts, (None, None))
    paired = counts[counts.sum(axis=1) > 1].astype(np.float64)
    per_unit, per_category = paired.sum(axis=1), paired.sum(axis=0)
    total = float(per_unit.sum())
    expected = (total**2 - float((per_category**2).sum())) / max(1.0, total - 1.0)
    if expected == 0.0:
        return float("nan")
    observed = float(((per_unit**2 - (paired**2).sum(axis=1)) / (per_unit - 1.0)).sum())
    return 1.0 - observed / expected
