"""``her``: how many goals are reached with hindsight, and without, after the same number of steps.

Each run is ``python -m rlhf her`` in a process of its own; both arms meet the same seeds, and differ in
nothing but ``hindsight.ratio``. A finished run is kept, so that the benchmark goes on where it stopped.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import iqm_interval
from rlhf.benchmarks.processes import (
    Tell,
    add_seed_options,
    measure_all,
    seed_range,
    seeds_as_typed,
    verb_report,
)
from rlhf.benchmarks.results import code_digest, made_on, write_results
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.evaluation.statistics import interquartile_mean
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task
from rlhf.types.experience import Float64

NAME = "her"
ARMS: Mapping[str, tuple[str, ...]] = {"with hindsight": (), "without": ("hindsight.ratio=0",)}
BARS: Mapping[str, tuple[float, float]] = {"bitflip-15": (0.9, 0.1), "four-rooms": (0.9, 0.4)}
"""Success that hindsight is to reach at least, and learning without it at most."""

_QUICK_STEPS = 800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tasks", nargs="+", default=list(GOAL_TASKS), choices=GOAL_TASKS, metavar="TASK")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Train everything that is not trained yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    todo = [(task, arm, seed) for seed in seed_range(options) for task in options.tasks for arm in ARMS]
    keys = [_run_key(task, arm, seed, _QUICK_STEPS if options.quick else None) for task, arm, seed in todo]
    reports = measure_all(NAME, keys, _train, _describe, jobs=options.jobs, tell=tell, keep_in=options.out)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {
        task: {arm: [] for arm in ARMS} for task in options.tasks
    }
    for (task, arm, _), report in zip(todo, reports, strict=True):
        found[task][arm].append(report)
    summary = {
        "command": f"python -m rlhf bench {NAME} --tasks {' '.join(options.tasks)} {seeds_as_typed(options)}",
        "tasks": {task: summarise(task, arms) for task, arms in found.items()},
    }
    rows = [
        {"task": task, "arm": arm, "seed": report["seed"], "kind": kind, **point}
        for task, arms in found.items()
        for arm, runs in arms.items()
        for report in runs
        for kind, points in (("curve", report["curve"]), ("final", [_final(report)]))
        for point in points
    ]
    write_results(options.out, rows, plot(found), summary, made_on(NAME, keys))
    return summary, text_rows(summary), _NOTE


_NOTE = (
    "Share of 400 goals that were not learned from, reached without exploration: interquartile mean over "
    "seeds, with its 95 % bootstrap interval. The difference is taken within a seed."
)


def summarise(task: str, arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return IQM and interval of the success of each arm, and of their difference within a seed."""
    successes = {arm: _successes(reports) for arm, reports in arms.items()}
    helped, alone = successes.values()
    measured = {arm: iqm_interval([values]) for arm, values in successes.items()}
    bars = BARS.get(task)
    passed = None
    if bars is not None:
        passed = interquartile_mean(helped) >= bars[0] and interquartile_mean(alone) <= bars[1]
    reports = [report for runs in arms.values() for report in runs]
    return {
        "arms": measured,
        "difference": iqm_interval([helped - alone]),
        "by_chance": float(np.mean([report["random_success"] for report in reports])),
        "bars": bars,
        "passed": passed,
        "seeds": len(helped),
        "steps": min(report["steps"] for report in reports),
    }


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["task", "steps", "by chance", *ARMS, "difference (95 %)", "asked for", ""]]
    for task, found in summary["tasks"].items():
        bars = found["bars"]
        table.append(
            [
                task,
                f"{found['steps']:,}",
                f"{found['by_chance']:.2f}",
                *(_shown(found["arms"][arm]) for arm in ARMS),
                _shown(found["difference"]),
                f">= {bars[0]}, <= {bars[1]}" if bars else "",
                {True: "reached", False: "not reached", None: ""}[found["passed"]],
            ]
        )
    return table


def plot(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> str:
    """Return an SVG of success over steps: IQM and interval over seeds, one panel per task."""
    panels = []
    for task, arms in found.items():
        series = []
        for arm, reports in arms.items():
            lines = np.array([[point["success"] for point in report["curve"]] for report in reports])
            points = [iqm_interval([column]) for column in lines.T]
            series.append(
                Series(
                    name=arm,
                    xs=[point["steps"] for point in reports[0]["curve"]],
                    ys=[point["iqm"] for point in points],
                    lows=[point["low"] for point in points],
                    highs=[point["high"] for point in points],
                )
            )
        panels.append(Panel(title=task, series=series, line=1.0))
    return curves(panels, "steps")


def _run_key(task: str, arm: str, seed: int, steps: int | None) -> dict[str, Any]:
    return {
        "task": task,
        "seed": seed,
        "steps": steps,
        "settings": list(ARMS[arm]),
        "overrides": dict(get_goal_task(task).overrides),
        "code": code_digest("rlhf.loop.learn_goals"),
    }


def _train(key: Mapping[str, Any]) -> dict[str, Any]:
    arguments = ["her", "--task", key["task"], "--seed", str(key["seed"])]
    if key["steps"] is not None:
        arguments += ["--steps", str(key["steps"])]
    return verb_report([*arguments, "--set", *key["settings"]] if key["settings"] else arguments)


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['task']}{' without hindsight' if key['settings'] else ''}, seed {key['seed']}"


def _final(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in ("episodes", "steps", "success")}


def _successes(reports: Sequence[Mapping[str, Any]]) -> Float64:
    return np.array([report["success"] for report in reports], np.float64)


def _shown(found: Mapping[str, float]) -> str:
    return f"{found['iqm']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
