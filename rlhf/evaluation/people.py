"""How people answer, as figures with intervals: shares, agreement with others, drift over a sitting. Pure.

Categories of answers are small whole numbers; what they stand for is the caller's business.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from rlhf.evaluation.agreement import krippendorff_alpha
from rlhf.evaluation.statistics import bootstrap_interval, difference_interval, wilson_interval
from rlhf.types.experience import Bool, Float64

Opinions = Mapping[tuple[str, str], Mapping[str, int]]
"""Ids of the two that were compared -> person -> category."""

_RESAMPLES = 300
_SITTING_GAP_S = 30 * 60.0
_LEAST_SITTING = 20
"""Answers of a sitting that is looked at for drift."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Share:
    """So many of so many; the count may be a sum of fractions."""

    count: float = 0.0
    of: int = 0

    @property
    def value(self) -> float | None:
        """The share; None of none."""
        return self.count / self.of if self.of else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Wilson's interval; (0, 1) of none."""
        return wilson_interval(self.count, self.of, confidence)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def agreement_with_others(opinions: Opinions) -> dict[str, Share]:
    """Return for each person, over the questions that others answered too, how many of the others agree.

    A question counts once, as the mean over the others: their opinions on it are not independent trials.
    """
    counts: dict[str, float] = {}
    trials: dict[str, int] = {}
    for said in opinions.values():
        if len(said) < 2:
            continue
        for person, category in said.items():
            alike = sum(other == category for other in said.values()) - 1
            counts[person] = counts.get(person, 0.0) + alike / (len(said) - 1)
            trials[person] = trials.get(person, 0) + 1
    return {person: Share(count=counts[person], of=trials[person]) for person in trials}


def agreement_of_all(opinions: Opinions, rng: np.random.Generator) -> Estimate | None:
    """Return Krippendorff's alpha over questions that several people answered, resampled by question.

    None where no question has two answers, or all answers are alike so that chance would agree as well.

    Args:
        opinions: what was answered.
        rng: draws the resamples.
    """
    shared = [list(said.values()) for said in opinions.values() if len(said) > 1]
    if not shared:
        return None
    width = 1 + max(max(said) for said in shared)
    counts = np.stack([np.bincount(said, minlength=width) for said in shared])
    alpha = krippendorff_alpha(counts)
    if not np.isfinite(alpha):
        return None

    def resampled(chosen: Float64) -> float:
        found = krippendorff_alpha(counts[chosen.astype(np.int64)])
        return found if np.isfinite(found) else alpha  # all alike by chance

    rows = np.arange(len(counts), dtype=np.float64)
    low, high = bootstrap_interval([rows], resampled, rng, num_resamples=_RESAMPLES)
    return Estimate(value=alpha, low=low, high=high)


def drift(times: Float64, is_right: Bool) -> Estimate | None:
    """Return the share right in the second halves of sittings less that in the first halves.

    A sitting ends where half an hour passes without an answer; short ones are left out. None without any.

    Args:
        times: when each answer was given, in s, rising, (Q,).
        is_right: whether it was, (Q,).
    """
    first, second = Share(), Share()
    for sitting in np.split(is_right, np.flatnonzero(np.diff(times) > _SITTING_GAP_S) + 1):
        half = len(sitting) // 2
        if len(sitting) < _LEAST_SITTING:
            continue
        first = Share(count=first.count + int(sitting[:half].sum()), of=first.of + half)
        second = Share(count=second.count + int(sitting[-half:].sum()), of=second.of + half)
    if first.value is None or second.value is None:
        return None
    low, high = difference_interval(second.count, second.of, first.count, first.of)
    return Estimate(value=second.value - first.value, low=low, high=high)
