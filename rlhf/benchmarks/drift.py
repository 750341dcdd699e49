"""``drift``: whether a run notices that its world has changed, and what it gains by adapting to that.

Three runs of each seed: in a world that stays, which must not be suspected; in one that changes half way,
with and without adapting. The last two are the same run up to the warning. Each is
``python -m rlhf simulate`` in a process of its own; a finished run is kept.
"""

import argparse
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
from rlhf.benchmarks.svg import forest
from rlhf.experience.tasks import get_task
from rlhf.types.experience import Float64

NAME = "drift"
CHANGES: Mapping[str, tuple[str, int]] = {
    "cartpole-balance": ("gravity=20+length=1.5", 100_000),
    "pendulum-swingup": ("mass=1.5", 80_000),
}
"""By task: how its world changes half way, and the steps of a run."""
ARMS: Mapping[str, tuple[str, ...]] = {
    "stays": (),
    "alone": ("world.adapt=false",),
    "adapts": ("world.adapt=true",),
}
_LABELS = 30
_QUICK_STEPS = 6_000
_END = 0.25
"""Share of a run, at its end, whose returns say how well it has adapted."""
_NOTE = (
    "False alarms: in worlds that stay and before the change. Delay: environment steps from when the change "
    "was due to the warning, both of which wait for the end of a rollout. Returns are true ones while it "
    "learns, mean over seeds: in the last quarter before the change, from the change on, and in the last "
    "quarter of the run. The gain is taken within a seed, with its 95 % bootstrap interval; one that "
    "includes 0 is none."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tasks", nargs="+", default=list(CHANGES), choices=CHANGES, metavar="TASK")
    add_seed_options(parser, NAME)
    parser.set_defaults(seeds=5)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Train everything that is not trained yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    todo = [(task, arm, seed) for task in options.tasks for seed in seed_range(options) for arm in ARMS]
    keys = [_run_key(task, arm, seed, is_quick=options.quick) for task, arm, seed in todo]
    reports = measure_all(NAME, keys, _train, _describe, jobs=options.jobs, tell=tell)
    rows = [
        {"task": task, "arm": arm, "seed": seed, **read(report, key["changed_at"], key["steps"])}
        for (task, arm, seed), key, report in zip(todo, keys, reports, strict=True)
    ]
    tasks = {task: summarise([row for row in rows if row["task"] == task]) for task in options.tasks}
    summary = {
        "command": f"python -m rlhf bench {NAME} --tasks {' '.join(options.tasks)} {seeds_as_typed(options)}",
        "tasks": tasks,
    }
    write_results(options.out, rows, plot(tasks), summary, made_on(NAME, keys))
    return summary, text_rows(summary), _NOTE


def read(report: Mapping[str, Any], changed_at: int, steps: int) -> dict[str, Any]:
    """Return what one run says: warnings too early, delay of the first that was due, and returns."""
    alarms = report["world_alarms"]
    curve = [(point["steps"], point["true_return"]) for point in report["curve"]]

    def mean(since: float, until: float) -> float | None:
        found = [value for at, value in curve if since < at <= until]
        return float(np.mean(found)) if found else None

    due = [at for at in alarms if at > changed_at]
    return {
        "false_alarms": len([at for at in alarms if at <= changed_at]),
        "alarms_after": len(due),
        "delay": due[0] - changed_at if due else None,
        "before": mean(changed_at - _END * steps, changed_at),
        "after": mean(changed_at, steps),
        "end": mean((1.0 - _END) * steps, steps),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the runs of one task say together.

    Args:
        rows: of every seed one of each arm, in the order of ``ARMS``; see ``read``.
    """
    by_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in ARMS}
    delays = [row["delay"] for row in by_arm["adapts"] if row["delay"] is not None]
    false = sum(row["false_alarms"] for row in rows if row["arm"] != "alone")  # "alone" is "adapts" till then
    false += sum(row["alarms_after"] for row in by_arm["stays"])
    summary: dict[str, Any] = {
        "seeds": len(by_arm["adapts"]),
        "false_alarms": false,
        "noticed": len(delays),
        "delay": {"mean": float(np.mean(delays)), "most": max(delays)} if delays else None,
        "returns": {
            arm: {name: float(_column(found, name).mean()) for name in ("before", "after", "end")}
            for arm, found in by_arm.items()
        },
    }
    for name in ("after", "end"):
        gain = _column(by_arm["adapts"], name) - _column(by_arm["alone"], name)
        summary[f"gain_{name}"] = mean_interval(gain)
    return summary


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["task", "false alarms", "noticed", "delay", "before", "after: alone", "adapts", "gain (95 %)"]]
    table[0] += ["end: alone", "adapts", "gain (95 %)"]
    for task, found in summary["tasks"].items():
        delay, returns = found["delay"], found["returns"]
        row = [task, str(found["false_alarms"]), f"{found['noticed']} of {found['seeds']}"]
        row += [f"{delay['mean']:,.0f} (most {delay['most']:,})" if delay else ""]
        row += [f"{returns['alone']['before']:.1f}"]
        for name in ("after", "end"):
            gain = found[f"gain_{name}"]
            row += [f"{returns[arm][name]:.1f}" for arm in ("alone", "adapts")]
            row += [f"{gain['mean']:+.1f} ({gain['low']:.1f} to {gain['high']:.1f})"]
        table.append(row)
    return table


def plot(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return an SVG of the gains and their intervals."""
    gains = {
        f"{task}, {words}": found[name]
        for task, found in tasks.items()
        for name, words in (("gain_after", "from the change on"), ("gain_end", "at the end"))
    }
    rows = {name: (gain["low"], gain["mean"], gain["high"]) for name, gain in gains.items()}
    return forest("True return that adapting adds", rows)


def _run_key(task: str, arm: str, seed: int, *, is_quick: bool) -> dict[str, Any]:
    change, steps = CHANGES[task]
    steps = _QUICK_STEPS if is_quick else steps
    return {
        "task": task,
        "change": None if arm == "stays" else f"{task}+{change}",
        "changed_at": steps // 2,
        "steps": steps,
        "seed": seed,
        "settings": ["world.watch=true", *ARMS[arm]],
        "overrides": dict(get_task(task).overrides),
        "code": code_digest(SIMULATE),
    }


def _train(key: Mapping[str, Any]) -> dict[str, Any]:
    arguments = ["simulate", "--task", key["task"], "--seed", str(key["seed"]), "--labels", str(_LABELS)]
    arguments += ["--steps", str(key["steps"]), "--set", *key["settings"]]
    if key["change"] is not None:
        arguments += ["--change", f"{key['changed_at']}:{key['change']}"]
    return verb_report(arguments)


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['task']}, {key['change'] or 'no change'}, seed {key['seed']}"


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Float64:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
