"""``foresight``: whether looking ahead with a learned model reaches more goals.

(i) After a quarter of the steps and after all of them, learned with hindsight and without it. (ii) After the
world has changed: the Q-network stays as it is, the model adapts on 500 steps, and the drop in success is to
be halved. Each run is ``python -m rlhf her`` in a process of its own and measures the same learner with
foresight and without it, on the same episodes; a finished run is kept.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks import her
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
from rlhf.benchmarks.svg import forest
from rlhf.evaluation.statistics import interquartile_mean
from rlhf.experience.goal_tasks import get_goal_task
from rlhf.types.experience import Float64

NAME = "foresight"
SHIFTS: Mapping[str, str] = {"four-rooms": "wind=0.3", "car-park": "wheelbase=3.9"}
"""Tasks, and how their worlds change."""
LEAST_GAIN = 0.15
"""Success that foresight is to add after a quarter of the steps."""
MOST_DROP = 0.5
"""Share of the drop after the change that is to be left."""

_QUICK = ("total_steps=800", "foresight.episodes=16", "foresight.plan.horizon=2", "foresight.plan.rounds=1")
_COLUMNS = ("seed", "success", "alone", "overruled", "held_out_error")
_MOMENTS = ("after a quarter", "after all steps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tasks", nargs="+", default=list(SHIFTS), choices=SHIFTS, metavar="TASK")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Train everything that is not trained yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    todo = [(task, arm, seed) for seed in seed_range(options) for task in options.tasks for arm in her.ARMS]
    quick = _QUICK if options.quick else ()
    keys = [_run_key(task, arm, seed, quick) for task, arm, seed in todo]
    reports = measure_all(NAME, keys, _train, _describe, jobs=options.jobs, tell=tell, keep_in=options.out)
    found: dict[str, list[dict[str, Any]]] = {}
    for (task, arm, _), report in zip(todo, reports, strict=True):
        for name, measured in _situations(task, arm, report).items():
            found.setdefault(name, []).append(measured)
    situations = {name: summarise(runs) for name, runs in found.items()}
    summary = {
        "command": f"python -m rlhf bench {NAME} --tasks {' '.join(options.tasks)} {seeds_as_typed(options)}",
        "situations": situations,
    }
    rows = [
        {"situation": name, **{column: one[column] for column in _COLUMNS}}
        for name, runs in found.items()
        for one in runs
    ]
    write_results(options.out, rows, plot(situations), summary, made_on(NAME, keys))
    return summary, text_rows(summary), _NOTE


_NOTE = (
    "Share of goals reached: interquartile mean over seeds with its 95 % bootstrap interval; the gain is "
    f"taken within a seed. Asked: at least {LEAST_GAIN} more after a quarter of the steps with hindsight, "
    f"and at most {MOST_DROP:g} of the drop left after the change. A gain whose interval includes 0 is none."
)


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return IQM and interval with foresight, without it and of the gain within a seed, and a verdict.

    Args:
        runs: of one situation, one per seed: ``success``, ``alone`` and ``overruled``; after a change also
            ``success_before`` and ``alone_before``, the same until then: each is held to its own.
    """
    success, alone, overruled = (_column(runs, name) for name in ("success", "alone", "overruled"))
    gain = iqm_interval([success - alone])
    summary: dict[str, Any] = {
        "with foresight": iqm_interval([success]),
        "without": iqm_interval([alone]),
        "gain": gain,
        "overruled": float(overruled.mean()),
        "verdict": "gain" if gain["low"] > 0 else "loss" if gain["high"] < 0 else "no gain",
        "seeds": len(runs),
    }
    if "alone_before" in runs[0]:
        drops = [
            interquartile_mean(_column(runs, f"{name}_before") - now)
            for name, now in (("success", success), ("alone", alone))
        ]
        summary["drops"] = {"with foresight": drops[0], "without": drops[1]}
        summary["passed"] = summary["verdict"] == "gain" and drops[0] <= MOST_DROP * drops[1]
    elif runs[0]["asked"]:
        summary["passed"] = summary["verdict"] == "gain" and gain["iqm"] >= LEAST_GAIN
    return summary


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["situation", "without", "with foresight", "gain (95 %)", "overruled", "drop", "", "asked for"]]
    for name, found in summary["situations"].items():
        drops = found.get("drops")
        table.append(
            [
                name,
                *(_shown(found[part]) for part in ("without", "with foresight", "gain")),
                f"{found['overruled']:.0%}",
                f"{drops['without']:.2f} -> {drops['with foresight']:.2f}" if drops else "",
                found["verdict"],
                {True: "reached", False: "not reached", None: ""}[found.get("passed")],
            ]
        )
    return table


def plot(situations: Mapping[str, Mapping[str, Any]]) -> str:
    """Return an SVG of the gains and their intervals."""
    gains = {name: found["gain"] for name, found in situations.items()}
    rows = {name: (gain["low"], gain["iqm"], gain["high"]) for name, gain in gains.items()}
    return forest("Success that foresight adds", rows)


def _situations(task: str, arm: str, report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what one run measured, by situation."""
    early, late = report["foresight"]
    first = {"seed": report["seed"], "asked": False}
    found = {
        f"{task} {arm}, {moment}": {**first, **one}
        for moment, one in zip(_MOMENTS, (early, late), strict=True)
    }
    if "shift" in report:
        found[f"{task} {arm}, {_MOMENTS[0]}"]["asked"] = True
        shift = {name: value for name, value in report["shift"].items() if name != "settings"}
        found[f"{task}, then {SHIFTS[task]}"] = {
            **first,
            **shift,
            "success_before": late["success"],
            "alone_before": late["alone"],
        }
    return found


def _run_key(task: str, arm: str, seed: int, quick: Sequence[str]) -> dict[str, Any]:
    with_hindsight = not her.ARMS[arm]
    return {
        "task": task,
        "seed": seed,
        "settings": ["foresight.on=true", *her.ARMS[arm], *quick],
        "shift": SHIFTS[task] if with_hindsight else None,
        "overrides": dict(get_goal_task(task).overrides),
        "code": code_digest("rlhf.loop.learn_goals", "rlhf.loop.measure_goals"),
    }


def _train(key: Mapping[str, Any]) -> dict[str, Any]:
    arguments = ["her", "--task", key["task"], "--seed", str(key["seed"]), "--set", *key["settings"]]
    return verb_report([*arguments, "--shift", key["shift"]] if key["shift"] else arguments)


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['task']}{'' if key['shift'] else ' without hindsight'}, seed {key['seed']}"


def _column(runs: Sequence[Mapping[str, Any]], name: str) -> Float64:
    return np.array([one[name] for one in runs], np.float64)


def _shown(found: Mapping[str, float]) -> str:
    return f"{found['iqm']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
