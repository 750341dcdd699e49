"""``labels``: how many answers it takes to come how close to PPO on the true reward, beside the baselines.

Every run is ``python -m rlhf simulate`` (or ``train`` for the reference) in a process of its own, on the
same preset, steps and seeds. Runs are interleaved over arms, tasks and seeds, so that what is there after a
while can be compared, and a finished run is kept: the benchmark goes on where it stopped while the code is
the same.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhf.benchmarks.labels_arms import ABLATIONS, ARMS, REFERENCE, chosen_arms, is_same_as_ours
from rlhf.benchmarks.labels_report import plot, summarise, text_notes, text_rows
from rlhf.benchmarks.labels_scores import Scale, scale_of, training_return
from rlhf.benchmarks.labels_tiers import TIERS, Asking, Tier
from rlhf.benchmarks.processes import Tell, measure_all, verb_report
from rlhf.benchmarks.results import (
    PRESETS_MODULE,
    RESULTS,
    SIMULATE,
    TRAIN,
    code_digest,
    keep_with_results,
    made_on,
    measured_before,
    task_settings,
    write_results,
)
from rlhf.config import flatten, to_dict
from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.feedback.teachers import parse_teacher
from rlhf.loop.config import resolve

NAME = "labels"
_QUICK = "T0"
_BY_THE_RUN = ("schedule.total_steps", "schedule.labels")
"""Settings that ``simulate`` has options for."""

Run = tuple[str, str, Asking | None, int]
"""(arm, task, asking or None for the reference, seed)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tiers = "; ".join(f"{name}: {tier.about}" for name, tier in TIERS.items())
    parser.add_argument(
        "--tier", choices=TIERS, default="T2", help=f"what the other options start from. {tiers}"
    )
    parser.add_argument("--tasks", nargs="+", metavar="TASK")
    parser.add_argument("--steps", type=int, help="environment steps of every run")
    parser.add_argument("--labels", nargs="+", type=int, metavar="N", help="numbers of answers")
    parser.add_argument("--teachers", nargs="+", metavar="SPEC", help="who answers")
    arms = ", ".join([*(name for name, arm in ARMS.items() if not arm.is_ablation), ABLATIONS])
    parser.add_argument(
        "--arms", nargs="+", metavar="ARM", help=f"beside {REFERENCE}: {arms} or one of these"
    )
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--first-seed", type=int, help="settings are tried on seeds 0 to 4")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, each on one core")
    parser.add_argument("--quick", action="store_true", help=f"the same as --tier {_QUICK}")
    parser.add_argument("--so-far", action="store_true", help="only report the runs that there are")
    parser.add_argument("--out", type=Path, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Make all runs that are not there yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    name = _QUICK if options.quick else options.tier
    tier = _tier(TIERS[name], options)
    arms = chosen_arms(tier.arms)
    default = RESULTS / f"{NAME}-{name}"
    options.out = options.out or default
    planned = plan(tier, arms)
    keys = run_keys(planned, tier)
    if options.so_far:
        found = [measured_before(NAME, key) for key in keys]
        keep_with_results(options.out, NAME, keys)
    else:
        found = list(
            measure_all(NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell, keep_in=options.out)
        )
    rows, scales = rows_of(planned, found)
    if not rows:
        raise ConfigError("no run is there to report yet; leave out --so-far to make them.")
    same = {arm: [task for task in tier.tasks if is_same_as_ours(arm, task)] for arm in arms}
    command = _command(name, tier, arms) + (f" --out {options.out}" if options.out != default else "")
    summary = {"command": command, **summarise(rows, scales, arms, tier, same)}
    write_results(options.out, rows, plot(rows, arms, tier), summary, made_on(NAME, keys))
    missing = sum(report is None for report in found)
    notes = text_notes(summary) + (f"\n{missing} of {len(found)} runs are still missing." if missing else "")
    return summary, text_rows(summary), notes


def plan(tier: Tier, arms: Sequence[str]) -> list[Run]:
    """Return all runs, seed by seed, the reference first in each task.

    Where an arm's settings are those of ours, its runs would be ours' runs and are left out.
    """
    runs: list[Run] = []
    for seed in range(tier.first_seed, tier.first_seed + tier.seeds):
        for task in tier.tasks:
            runs.append((REFERENCE, task, None, seed))
            differ = [arm for arm in arms if not is_same_as_ours(arm, task)]
            runs += [(arm, task, asking, seed) for asking in tier.askings for arm in differ]
    return runs


def run_keys(planned: Sequence[Run], tier: Tier) -> list[dict[str, Any]]:
    """Return what each run depends on, as JSON data."""
    code = code_digest(SIMULATE, but=(PRESETS_MODULE,))
    reference_code = code_digest(TRAIN, but=(PRESETS_MODULE, "rlhf.loop.config"))
    keys: list[dict[str, Any]] = []
    for arm, task_name, asking, seed in planned:
        task = get_task(task_name)
        common = {"task": task_name, "settings": task_settings(task), "seed": seed}
        steps: dict[str, Any] = {"schedule.total_steps": tier.tasks[task_name]}
        if asking is None:
            config = resolve(task, steps)
            settings = {
                "collect": {"num_envs": config.collect.num_envs},
                "ppo": to_dict(config.ppo),
                "schedule": {"total_steps": config.schedule.total_steps},
            }
            keys.append({**common, "code": reference_code, "config": settings})
        else:
            config = resolve(task, {**ARMS[arm].settings, **steps, "schedule.labels": asking.labels})
            asked = {"teacher": asking.teacher, "code": code, "config": to_dict(config)}
            keys.append({**common, **asked})
    return keys


def rows_of(
    planned: Sequence[Run], found: Sequence[Mapping[str, Any] | None]
) -> tuple[list[dict[str, Any]], dict[str, Scale]]:
    """Return the runs that are there as rows with their scores, and the scale of each task.

    Runs of a task whose reference is missing have no score and are left out.
    """
    references: dict[str, list[Mapping[str, Any]]] = {}
    for (_, task, asking, _), report in zip(planned, found, strict=True):
        if asking is None and report is not None:
            references.setdefault(task, []).append(report)
    scales = {task: scale_of(reports) for task, reports in references.items()}
    rows = [
        _row(item, report, scales[item[1]])
        for item, report in zip(planned, found, strict=True)
        if report is not None and item[1] in scales
    ]
    return rows, scales


def _row(item: Run, report: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    arm, task, asking, seed = item
    final, training = report["true_return"]["mean"], training_return(report)
    seconds = report["seconds"]
    return {
        "task": task,
        "arm": arm,
        "teacher": asking.teacher if asking else None,
        "labels": asking.labels if asking else None,
        "seed": seed,
        "steps": report["steps"],
        "true_return": final,
        "score": scale.share(final, scale.reference),
        "training_return": training,
        "training_score": scale.share(training, scale.reference_training),
        "random_return": report["random_return"],
        "answered": report["labels"]["answered"] if asking else None,
        "audit_accuracy": report.get("audit_accuracy"),
        "reward_spearman": report.get("reward_spearman"),
        "wall_s": report["wall_s"],
        "reward_share": round((seconds["reward"] + seconds["queries"]) / report["wall_s"], 4),
    }


def _tier(tier: Tier, options: argparse.Namespace) -> Tier:
    """Return the tier changed by the options."""
    for name in ("steps", "seeds", "jobs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}; at least 1 is needed.")
    if options.labels and min(options.labels) < 0:
        raise ConfigError(f"--labels is {min(options.labels)}; a number of answers is not negative.")
    tasks = {task: tier.tasks.get(task, max(tier.tasks.values())) for task in options.tasks or tier.tasks}
    askings = tier.askings
    if options.labels or options.teachers:
        teachers = options.teachers or dict.fromkeys(asking.teacher for asking in tier.askings)
        numbers = options.labels or dict.fromkeys(asking.labels for asking in tier.askings)
        askings = tuple(Asking(teacher=t, labels=n) for t in teachers for n in numbers)
    for asking in askings:
        parse_teacher(asking.teacher)
    return Tier(
        about=tier.about,
        tasks={task: options.steps or steps for task, steps in tasks.items()},
        askings=askings,
        arms=tuple(options.arms or tier.arms),
        seeds=options.seeds or tier.seeds,
        first_seed=tier.first_seed if options.first_seed is None else options.first_seed,
    )


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    steps = str(key["config"]["schedule"]["total_steps"])
    common = ["--task", key["task"], "--steps", steps, "--seed", str(key["seed"])]
    if "teacher" not in key:
        return verb_report(["train", *common])
    labels = str(key["config"]["schedule"]["labels"])
    settings = [f"{name}={_text(value)}" for name, value in _changes(key).items()]
    asked = ["--teacher", key["teacher"], "--labels", labels]
    return verb_report(["simulate", *common, *asked, *(["--set", *settings] if settings else [])])


def _changes(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in which a run differs from its task's preset."""
    preset = flatten(to_dict(resolve(get_task(key["task"]), {})))
    wanted = flatten(key["config"])
    return {n: value for n, value in wanted.items() if value != preset[n] and n not in _BY_THE_RUN}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _describe(key: Mapping[str, Any]) -> str:
    who = (
        f"{key['config']['schedule']['labels']} answers of {key['teacher']}"
        if "teacher" in key
        else REFERENCE
    )
    return f"{key['task']}, {who}, seed {key['seed']}"


def _command(name: str, tier: Tier, arms: Sequence[str]) -> str:
    steps = set(tier.tasks.values())
    parts = [f"python -m rlhf bench {NAME} --tier {name} --tasks {' '.join(tier.tasks)}"]
    parts += [f"--steps {steps.pop()}"] if len(steps) == 1 else []
    if tier.askings != TIERS[name].askings:
        parts.append("--teachers " + " ".join(dict.fromkeys(a.teacher for a in tier.askings)))
        parts.append("--labels " + " ".join(str(n) for n in dict.fromkeys(a.labels for a in tier.askings)))
    first = f" --first-seed {tier.first_seed}" if tier.first_seed != TIERS[name].first_seed else ""
    return " ".join([*parts, f"--arms {' '.join(arms)} --seeds {tier.seeds}{first}"])
