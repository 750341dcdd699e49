"""What ``labels`` says of its runs: summary, table, notes and plot."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.labels_arms import ARMS, OURS
from rlhf.benchmarks.labels_scores import (
    LEVEL,
    LabelsNeeded,
    Scale,
    area,
    label_ratio,
    labels_needed,
    mean_lead,
    mean_score,
    share_won,
    shared_numbers,
)
from rlhf.benchmarks.labels_tiers import Asking, Tier
from rlhf.benchmarks.svg import COLOURS, Panel, Series, curves

Rows = Sequence[Mapping[str, Any]]
SAME = "same"
"""In place of a number where an arm does what ours does."""
_COLUMNS = (
    "Share of PPO, also by task: the saved policy that the learned reward likes best, beside PPO's last one. "
    "Less ours: mean difference to ours' run of the same task and seed. "
    "Last tenth of training: both as they trained; nobody chooses."
)


def summarise(
    rows: Rows,
    scales: Mapping[str, Scale],
    arms: Sequence[str],
    tier: Tier,
    same: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return everything that is reported, as JSON data.

    Args:
        rows: the runs.
        scales: by task.
        arms: which arms are reported.
        tier: what was to be run.
        same: tasks on which an arm does what ours does, by arm. There ours' runs count in what is said of all
            tasks together, so that this is of the same tasks for every arm; nothing is said of such a task.
    """
    whole = [*rows, *_shared(rows, arms, same)]
    return {
        "level": LEVEL,
        "tasks": {
            task: {"steps": tier.tasks[task], "random": scale.random, "ppo": scale.reference}
            for task, scale in scales.items()
        },
        "results": [
            found
            for asking in tier.askings
            for arm in arms
            if (found := _result(rows, whole, arm, asking, tier, same.get(arm, ())))
        ],
        "by_labels": [
            found
            for teacher in dict.fromkeys(asking.teacher for asking in tier.askings)
            for found in _by_labels(whole, arms, teacher, tier)
        ],
    }


def _shared(rows: Rows, arms: Sequence[str], same: Mapping[str, Sequence[str]]) -> Rows:
    """Return ours' runs as those of arms that do the same there and have a run of their own elsewhere."""
    own = {(row["arm"], row["teacher"], row["labels"]) for row in rows}
    return [
        {**row, "arm": arm}
        for arm in arms
        for row in rows
        if row["arm"] == OURS
        and row["task"] in same.get(arm, ())
        and (arm, row["teacher"], row["labels"]) in own
    ]


def _result(
    rows: Rows, whole: Rows, arm: str, asking: Asking, tier: Tier, same: Sequence[str]
) -> dict[str, Any] | None:
    mine, ours = (_of(rows, name, asking.teacher, asking.labels) for name in (arm, OURS))
    if not mine and len(same) < len(tier.tasks):
        return None
    everywhere = _of(whole, arm, asking.teacher, asking.labels)
    score = mean_score(everywhere)
    perfect = mean_score(_of(whole, arm, "oracle", asking.labels))
    return {
        "arm": arm,
        "teacher": asking.teacher,
        "labels": asking.labels,
        "runs": len(mine),
        "planned": (len(tier.tasks) - len(same)) * tier.seeds,
        "same": list(same),
        "score": score,
        "training_score": mean_score(everywhere, "training_score"),
        "by_task": {task: mean_score([row for row in mine if row["task"] == task]) for task in tier.tasks},
        "share_of_oracle": score["iqm"] / perfect["iqm"]
        if score and perfect and perfect["iqm"] > 0
        else None,
        "ours_wins": share_won(ours, mine) if arm != OURS else None,
        "less_ours": mean_lead(mine, ours) if arm != OURS else None,
        "audit_accuracy": _mean(mine, "audit_accuracy"),
        "reward_spearman": _mean(mine, "reward_spearman"),
        "wall_s": _mean(mine, "wall_s"),
        "reward_share": _mean(mine, "reward_share"),
    }


def _by_labels(rows: Rows, arms: Sequence[str], teacher: str, tier: Tier) -> list[dict[str, Any]]:
    """Return for each arm what is said of all its numbers of answers together."""
    by_arm = {arm: _of(rows, arm, teacher) for arm in arms}
    ours = labels_needed(_of(rows, OURS, teacher))
    found = []
    for arm, numbers in shared_numbers(by_arm, len(tier.tasks) * tier.seeds).items():
        needed = labels_needed(by_arm[arm])
        found.append(
            {
                "arm": arm,
                "teacher": teacher,
                "area": area(by_arm[arm], numbers),
                "area_over": numbers,
                "labels_needed": None if needed is None else [needed.bound, needed.labels],
                "times_ours": label_ratio(needed, ours) if arm != OURS else None,
            }
        )
    return found


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the results as a header and rows of text."""

    def on(task: str, found: Mapping[str, Any]) -> str:
        return SAME if task in found["same"] else _number((found["by_task"].get(task) or {}).get("iqm"))

    tasks = list(summary["tasks"])
    header = [
        "arm",
        "teacher",
        "labels",
        "runs",
        "share of PPO (95 %)",
        "less ours",
        "last tenth of training",
        *tasks,
    ]
    table = [[*header, "of oracle", "ours wins", "audit", "Spearman", "reward time"]]
    for found in summary["results"]:
        table.append(
            [
                found["arm"],
                found["teacher"],
                str(found["labels"]),
                f"{found['runs']}/{found['planned']}",
                _interval(found["score"]),
                _interval(found["less_ours"], "mean", "+.2f"),
                _interval(found["training_score"]),
                *(on(task, found) for task in tasks),
                _percent(found["share_of_oracle"]),
                _percent(found["ours_wins"]),
                _number(found["audit_accuracy"]),
                _number(found["reward_spearman"]),
                _percent(found["reward_share"]),
            ]
        )
    return table


def text_notes(summary: Mapping[str, Any]) -> str:
    """Return what the columns are, what each arm takes to reach the level, and the area under its curve."""
    asked = {(found["teacher"], found["labels"]) for found in summary["results"] if found["labels"]}
    numbers = collections.Counter(teacher for teacher, _ in asked)
    lines = []
    for found in summary["by_labels"]:
        parts = []
        if found["area"]:
            few, *_, many = found["area_over"]
            parts.append(f"area under the curve from {few} to {many} {_interval(found['area'])}")
        elif found["labels_needed"] and numbers[found["teacher"]] > 1:
            parts.append("no area under the curve (not all runs at two numbers of answers that arms share)")
        if found["labels_needed"]:
            needed = LabelsNeeded(found["labels_needed"][1], found["labels_needed"][0])
            parts.append(f"answers to {summary['level']}: {needed.bound} {needed.labels:.0f}")
        if found["times_ours"]:
            bound, ratio = found["times_ours"]
            parts.append(f"{bound} {ratio:.1f} times ours")
        if parts:
            lines.append(f"{found['arm']}, {found['teacher']}: {'; '.join(parts)}")
    return "\n".join([_COLUMNS, *lines])


def plot(rows: Rows, arms: Sequence[str], tier: Tier) -> str:
    """Return an SVG of the score over the number of answers, by teacher and, for the first, by task.

    Arms that change one thing of ours are in the table only, unless nothing else was run.
    """
    shown = [arm for arm in arms if not ARMS[arm].is_ablation] or list(arms)
    teachers = list(dict.fromkeys(asking.teacher for asking in tier.askings))
    parts = [(f"all tasks, {teacher}", [r for r in rows if r["teacher"] == teacher]) for teacher in teachers]
    first = [row for row in rows if row["teacher"] == teachers[0]]
    parts += [(task, [row for row in first if row["task"] == task]) for task in tier.tasks]
    panels = []
    for title, part in parts:
        series = [_series(part, arm) for arm in shown[: len(COLOURS)]]
        drawn = [one for one in series if one.xs]
        if drawn:
            ticks = {float(np.log2(n)): str(n) for n in sorted({r["labels"] for r in part if r["labels"]})}
            panels.append(Panel(title=title, series=drawn, line=1.0, ticks=ticks))
    return curves(panels, "answers")


def _series(rows: Rows, arm: str) -> Series:
    mine = [row for row in rows if row["arm"] == arm and row["labels"]]
    means = [
        (n, mean_score([r for r in mine if r["labels"] == n])) for n in sorted({r["labels"] for r in mine})
    ]
    points = [(float(np.log2(n)), mean) for n, mean in means if mean is not None]
    return Series(
        name=arm,
        xs=[x for x, _ in points],
        ys=[mean["iqm"] for _, mean in points],
        lows=[mean["low"] for _, mean in points],
        highs=[mean["high"] for _, mean in points],
    )


def _of(rows: Rows, arm: str, teacher: str, labels: int | None = None) -> list[Mapping[str, Any]]:
    mine = [row for row in rows if row["arm"] == arm and row["teacher"] == teacher]
    return [row for row in mine if labels is None or row["labels"] == labels]


def _mean(rows: Rows, column: str) -> float | None:
    values = [row[column] for row in rows if row[column] is not None]
    return float(np.mean(values)) if values else None


def _interval(found: Mapping[str, float] | None, middle: str = "iqm", form: str = ".2f") -> str:
    return (
        "" if found is None else f"{found[middle]:{form}} ({found['low']:{form}} to {found['high']:{form}})"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
