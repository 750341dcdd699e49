"""Runs -> scores: shares of the reference, means with intervals, and how many answers a level takes.

A run is a row with ``task, arm, teacher, labels, seed, score``; its score is (J - J_random) / (J_ppo -
J_random), where J_random and J_ppo are those of the task: mean and interquartile mean over seeds. The
intervals count the spread of the runs, not that of J_ppo.
"""

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import iqm_interval, mean_interval
from rlhf.evaluation.statistics import interquartile_mean

LEVEL = 0.9
"""Of which the number of answers that it takes is compared."""
_LAST_SHARE = 0.1

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """What a task's returns are measured against."""

    random: float
    reference: float
    """Of the policy that the reference ends with."""
    reference_training: float | None
    """Over the last tenth of its training."""

    def share(self, value: float | None, reference: float | None) -> float | None:
        """Return how far a return is from random to reference; None if that says nothing."""
        if value is None or reference is None or reference <= self.random:
            return None
        return (value - self.random) / (reference - self.random)


def scale_of(reports: Sequence[Mapping[str, Any]]) -> Scale:
    """Return a task's scale from the reference's reports, one per seed."""
    late = [mean for report in reports if (mean := training_return(report)) is not None]
    return Scale(
        random=float(np.mean([report["random_return"] for report in reports])),
        reference=interquartile_mean(np.array([report["true_return"]["mean"] for report in reports])),
        reference_training=interquartile_mean(np.array(late)) if late else None,
    )


def training_return(report: Mapping[str, Any]) -> float | None:
    """Return the mean true return of the exploring policy over the last tenth of the steps."""
    late = [p["true_return"] for p in report["curve"] if p["steps"] >= (1 - _LAST_SHARE) * report["steps"]]
    return float(np.mean(late)) if late else None


def mean_score(rows: Sequence[Row], column: str = "score") -> dict[str, float] | None:
    """Return IQM and 95 % interval over tasks and seeds, seeds drawn anew within their task; None if none."""
    by_task: dict[str, list[float]] = {}
    for row in rows:
        if row[column] is not None:
            by_task.setdefault(row["task"], []).append(row[column])
    return iqm_interval([np.array(values) for values in by_task.values()]) if by_task else None


def shared_numbers(arms: Mapping[str, Sequence[Row]], planned: int) -> dict[str, list[int]]:
    """Return over which numbers of answers the area of each arm may stand beside those of the others.

    Numbers at which an arm has all ``planned`` runs are its own. Arms with one of their own at most have no
    area; over what the own ones of all the others share, rising, those have one. Fewer than two are none.
    """
    own = {}
    for arm, rows in arms.items():
        counts = collections.Counter(row["labels"] for row in rows if row["labels"] > 0)
        own[arm] = {number for number, count in counts.items() if count == planned}
    compared = [numbers for numbers in own.values() if len(numbers) > 1]
    shared = sorted(set.intersection(*compared)) if compared else []
    return {arm: shared if len(shared) > 1 and len(numbers) > 1 else [] for arm, numbers in own.items()}


def area(rows: Sequence[Row], numbers: Sequence[int]) -> dict[str, float] | None:
    """Return the mean height of the score over log2(labels), IQM over tasks and seeds; None if unknown.

    Args:
        rows: the runs.
        numbers: two or more numbers of answers, rising, from the first to the last of which it is taken.
            Seeds that have no score at one of them are left out. With none there is no area.
    """
    if not numbers:
        return None
    scores = {(row["task"], row["seed"], row["labels"]): row["score"] for row in rows}
    x = np.log2(numbers)
    by_task: dict[str, list[float]] = {}
    for task, seed in dict.fromkeys((row["task"], row["seed"]) for row in rows):
        line = [scores.get((task, seed, number)) for number in numbers]
        if None not in line:
            height = np.trapezoid(np.array(line, np.float64), x) / (x[-1] - x[0])
            by_task.setdefault(task, []).append(float(height))
    return iqm_interval([np.array(values) for values in by_task.values()]) if by_task else None


@dataclasses.dataclass(frozen=True)
class LabelsNeeded:
    """How many answers a level takes: a number, or a bound where the level lies outside what was run."""

    labels: float
    bound: str
    """``=``, ``<=`` (the fewest that were tried are enough) or ``>`` (the most are not)."""


def labels_needed(rows: Sequence[Row], level: float = LEVEL) -> LabelsNeeded | None:
    """Return where the IQM over tasks and seeds first reaches a level, linear between log2(labels)."""
    numbers = sorted({row["labels"] for row in rows if row["labels"] > 0})
    means = [(number, mean_score([r for r in rows if r["labels"] == number])) for number in numbers]
    curve = [(number, mean["iqm"]) for number, mean in means if mean is not None]
    if not curve:
        return None
    if curve[0][1] >= level:
        return LabelsNeeded(float(curve[0][0]), "<=")
    for (few, low), (many, high) in itertools.pairwise(curve):
        if high >= level:
            x = np.interp(level, [low, high], np.log2([few, many]))
            return LabelsNeeded(float(2.0**x), "=")
    return LabelsNeeded(float(curve[-1][0]), ">")


def label_ratio(baseline: LabelsNeeded | None, ours: LabelsNeeded | None) -> tuple[str, float] | None:
    """Return (``=`` or ``>=``, how many times our answers the baseline takes); None if nobody can say."""
    if baseline is None or ours is None or ours.bound == ">" or baseline.bound == "<=":
        return None
    is_exact = (baseline.bound, ours.bound) == ("=", "=")
    return ("=" if is_exact else ">="), baseline.labels / ours.labels


def share_won(rows: Sequence[Row], others: Sequence[Row]) -> float | None:
    """Return how often a run beats the other arm's run of the same task, asking and seed; ties half."""
    differences = [one for of_task in _differences(rows, others).values() for one in of_task]
    return float(np.mean([(one > 0) + 0.5 * (one == 0) for one in differences])) if differences else None


def mean_lead(rows: Sequence[Row], others: Sequence[Row]) -> dict[str, float] | None:
    """Return by how much runs' scores are above those of the other arm's of the same task, asking and seed.

    The mean, and its interval by resampling seeds within their task.
    """
    differences = _differences(rows, others)
    return (
        mean_interval(*(np.array(one, np.float64) for one in differences.values())) if differences else None
    )


def _differences(rows: Sequence[Row], others: Sequence[Row]) -> dict[str, list[float]]:
    """Return the differences of scores within pairs, by task."""
    theirs = {_cell(row): row["score"] for row in others if row["score"] is not None}
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["score"] is not None and _cell(row) in theirs:
            found.setdefault(row["task"], []).append(row["score"] - theirs[_cell(row)])
    return found


def _cell(row: Row) -> tuple[Any, ...]:
    return row["task"], row["teacher"], row["labels"], row["seed"]
