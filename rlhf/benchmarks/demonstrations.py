"""``demonstrations``: are a few shown episodes and fewer answers worth more than twice the answers alone?

Every arm is ``python -m rlhf simulate`` with the same task, steps and seeds; the scripted expert shows its
episodes before the run starts. Measured is the true return of the policy that the run ends with.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import mean_interval
from rlhf.benchmarks.processes import (
    Tell,
    add_seed_options,
    measure_all,
    seed_range,
    seeds_as_typed,
    verb_report,
)
from rlhf.benchmarks.results import SIMULATE, code_digest, made_on, write_results
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.evaluation.statistics import interquartile_mean
from rlhf.types.experience import Float64

NAME = "demonstrations"
TASKS: Mapping[str, int] = {"lunarlander-land": 300_000, "bipedalwalker-walk": 1_000_000}
"""Task -> environment steps of every run."""
_QUICK: Mapping[str, int] = {"cartpole-balance": 6_000}
_NOTE = (
    "True return at the end, interquartile mean over seeds. The difference to the first arm is the mean of "
    "those within a seed, with its 95 % bootstrap interval."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """What a run learns from."""

    answers: int
    episodes: int = 0
    """That the expert shows."""
    is_cloned: bool = False
    """Whether the policy starts by imitating them."""

    @property
    def options(self) -> list[str]:
        """As ``simulate`` takes them."""
        shown = ["--demonstrations", str(self.episodes)] if self.episodes else []
        cloned = ["--set", "demonstrations.clone=true"] if self.is_cloned else []
        return ["--labels", str(self.answers), *shown, *cloned]


ARMS: Mapping[str, Arm] = {
    "100 answers": Arm(answers=100),
    "50 answers": Arm(answers=50),
    "5 episodes, 50 answers": Arm(answers=50, episodes=5),
    "the same, imitated first": Arm(answers=50, episodes=5, is_cloned=True),
    "5 episodes imitated, no answers": Arm(answers=0, episodes=5, is_cloned=True),
}
"""The first is what the others are compared with; by the last the answers could prove needless."""
_ALONE = next(iter(ARMS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS, metavar="TASK")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure everything that is not measured yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    steps = _QUICK if options.quick else {task: TASKS[task] for task in options.tasks}
    todo = [(task, arm, seed) for seed in seed_range(options) for task in steps for arm in ARMS]
    code = code_digest(SIMULATE)
    keys = [
        {"task": task, "steps": steps[task], "seed": seed, "options": ARMS[arm].options, "code": code}
        for task, arm, seed in todo
    ]
    reports = measure_all(NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell, keep_in=options.out)
    rows = [
        {
            "task": task,
            "arm": arm,
            "seed": seed,
            "steps": report["steps"],
            "answers": report["labels"]["asked"],
            "true_return": report["true_return"]["mean"],
            "random_return": report["random_return"],
            "reward_spearman": report["reward_spearman"],
            "wall_s": report["wall_s"],
        }
        for (task, arm, seed), report in zip(todo, reports, strict=True)
    ]
    tasks = "" if options.quick else f"--tasks {' '.join(steps)} "
    command = f"python -m rlhf bench {NAME} {tasks}{seeds_as_typed(options)}"
    summary = {"command": command, "tasks": summarise(rows)}
    write_results(options.out, rows, plot(todo, reports), summary, made_on(NAME, keys))
    return summary, text_rows(summary), _NOTE


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    common = ["--task", key["task"], "--steps", str(key["steps"]), "--seed", str(key["seed"])]
    return verb_report(["simulate", *common, *key["options"]])


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['task']}, {' '.join(key['options'])}, seed {key['seed']}"


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each task and arm, the return and its difference to that of answers alone."""
    found = []
    for task, arm in dict.fromkeys((row["task"], row["arm"]) for row in rows):
        returns, alone = (_returns(rows, task, name) for name in (arm, _ALONE))
        found.append(
            {
                "task": task,
                "arm": arm,
                "seeds": len(returns),
                "true_return": interquartile_mean(returns),
                "gain": mean_interval(returns - alone),
            }
        )
    return found


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["task", "learns from", "seeds", "true return", f"less that of {_ALONE}"]]
    for row in summary["tasks"]:
        gain = row["gain"]
        shown = f"{gain['mean']:+.0f} ({gain['low']:+.0f} to {gain['high']:+.0f})"
        shown = "" if row["arm"] == _ALONE else shown
        table.append([row["task"], row["arm"], str(row["seeds"]), f"{row['true_return']:.0f}", shown])
    return table


def plot(todo: Sequence[tuple[str, str, int]], reports: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the true return over steps, one panel per task, with its interval."""
    panels = []
    for task in dict.fromkeys(task for task, *_ in todo):
        series = []
        for arm in ARMS:
            own = [r["curve"] for (t, a, _), r in zip(todo, reports, strict=True) if (t, a) == (task, arm)]
            points = list(zip(*own, strict=False))  # a run that was slow to finish episodes has fewer
            xs = [float(np.mean([one["steps"] for one in point])) for point in points]
            samples = [np.array([one["true_return"] for one in point]) for point in points]
            series.append(Series.of_means(arm, xs, samples))
        panels.append(Panel(title=task, series=series))
    return curves(panels, "environment steps")


def _returns(rows: Sequence[Mapping[str, Any]], task: str, arm: str) -> Float64:
    own = {row["seed"]: row["true_return"] for row in rows if (row["task"], row["arm"]) == (task, arm)}
    return np.array([own[seed] for seed in sorted(own)])
