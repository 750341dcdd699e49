"""``ppo-strength``: learning curves of our PPO on the standard environments, beside published scores.

Each run is ``python -m rlhf train`` on ``gym:<EnvId>`` in a process of its own, with the presets as they are.
A finished run is kept, so that the benchmark goes on where it stopped while code and presets are the same.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import iqm_interval
from rlhf.benchmarks.processes import Tell, measure_all, verb_report
from rlhf.benchmarks.results import RESULTS, TRAIN, code_digest, made_on, write_results
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.config import to_dict
from rlhf.errors import ConfigError
from rlhf.evaluation.statistics import bootstrap_interval, interquartile_mean
from rlhf.experience.tasks import GYM_PREFIX, get_task
from rlhf.loop.config import resolve
from rlhf.seeding import generator
from rlhf.types.experience import Float64

NAME = "ppo-strength"
_GRID = 40
_QUICK_STEPS = 8192


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """A published score, and the environment steps it took."""

    steps: int
    score: float


REFERENCES: Mapping[str, Reference] = {
    "CartPole-v1": Reference(steps=100_000, score=500.0),
    "Acrobot-v1": Reference(steps=1_000_000, score=-74.0),
    "MountainCar-v0": Reference(steps=1_000_000, score=-110.0),
    "Pendulum-v1": Reference(steps=100_000, score=-172.0),
    "LunarLander-v3": Reference(steps=1_000_000, score=242.0),
    "HalfCheetah-v5": Reference(steps=1_000_000, score=5819.0),
    "Hopper-v5": Reference(steps=1_000_000, score=2410.0),
    "Walker2d-v5": Reference(steps=1_000_000, score=3479.0),
    "Swimmer-v5": Reference(steps=1_000_000, score=282.0),
    "BipedalWalker-v3": Reference(steps=5_000_000, score=288.0),
}
"""PPO of RL Baselines3 Zoo (its benchmark.md), trained on earlier versions of some of these environments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--envs", nargs="+", default=list(REFERENCES), metavar="ENV")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="instead of the steps that the published score took")
    parser.add_argument(
        "--set",
        metavar="A.B=C",
        nargs="+",
        default=[],
        dest="settings",
        help="settings that differ from the presets, for an ablation",
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--quick", action="store_true", help="two short runs each, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Train everything that is not trained yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    seeds, steps = (2, _QUICK_STEPS) if options.quick else (options.seeds, options.steps)
    if seeds < 1 or options.jobs < 1 or (steps is not None and steps < 1):
        raise ConfigError(
            f"--seeds is {seeds}, --jobs {options.jobs} and --steps {steps}; at least 1 is needed."
        )
    unknown = [env_id for env_id in options.envs if env_id not in REFERENCES and steps is None]
    if unknown:
        raise ConfigError(f"no score is known for {', '.join(unknown)}; say with --steps how long to train.")
    lengths = {env_id: steps or REFERENCES[env_id].steps for env_id in options.envs}
    todo = [(env_id, seed) for seed in range(seeds) for env_id in options.envs]
    reports: dict[str, list[dict[str, Any]]] = {env_id: [] for env_id in options.envs}
    keys = [run_key(env_id, lengths[env_id], seed, options.settings) for env_id, seed in todo]
    found = measure_all(NAME, keys, train_run, describe_run, jobs=options.jobs, tell=tell)
    for (env_id, _), report in zip(todo, found, strict=True):
        reports[env_id].append(report)
    summary = {
        "command": f"python -m rlhf bench {NAME} --envs {' '.join(options.envs)} --seeds {seeds}"
        + (f" --steps {steps}" if steps else "")
        + (f" --set {' '.join(options.settings)}" if options.settings else ""),
        "environments": {
            env_id: summarise(env_id, lengths[env_id], reports[env_id]) for env_id in options.envs
        },
        "all": aggregate(reports),
    }
    rows = [row for env_id in options.envs for row in _rows(env_id, reports[env_id])]
    write_results(options.out, rows, plot(lengths, reports), summary, made_on(NAME, keys))
    return summary, text_rows(summary), ""


def run_key(env_id: str, steps: int, seed: int, settings: Sequence[str]) -> dict[str, Any]:
    """Return what a training run depends on, as JSON data."""
    task = get_task(GYM_PREFIX + env_id)
    changes = dict(text.partition("=")[::2] for text in settings)
    config = resolve(task, {**changes, "schedule.total_steps": steps})
    return {
        "task": task.name,
        "seed": seed,
        "settings": list(settings),
        "code": code_digest(TRAIN),
        "config": {name: to_dict(getattr(config, name)) for name in ("collect", "ppo", "schedule")},
    }


def summarise(env_id: str, steps: int, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return IQM and interval of the final scores over seeds, and how they stand to the published score."""
    scores = _scores(reports)
    found = iqm_interval([scores])
    reference = REFERENCES.get(env_id)
    comparable = reference is not None and reference.steps == steps
    return {
        "steps": steps,
        "seeds": len(scores),
        "scores": [round(float(score), 2) for score in scores],
        **found,
        "random": float(np.mean([report["random_return"] for report in reports])),
        "reference": reference.score if reference else None,
        "reference_steps": reference.steps if reference else None,
        "short_by": max(0.0, reference.score - found["iqm"]) if reference and comparable else None,
    }


def aggregate(reports: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, float] | None:
    """Return IQM and stratified interval of (score - random) / (published - random) over environments."""
    strata = []
    for env_id, runs in reports.items():
        if env_id in REFERENCES:
            random = float(np.mean([report["random_return"] for report in runs]))
            strata.append((_scores(runs) - random) / (REFERENCES[env_id].score - random))
    return iqm_interval(strata) if strata else None


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["environment", "steps", "IQM (95 %)", "published", "", "each seed"]]
    for env_id, found in summary["environments"].items():
        verdict = ""
        if found["short_by"] is not None:
            verdict = "reached" if found["short_by"] == 0.0 else f"short by {found['short_by']:.0f}"
        elif found["reference_steps"]:
            verdict = f"published after {found['reference_steps']:,}"
        table.append(
            [
                env_id,
                f"{found['steps']:,}",
                f"{found['iqm']:.0f} ({found['low']:.0f} to {found['high']:.0f})",
                "" if found["reference"] is None else f"{found['reference']:.0f}",
                verdict,
                " ".join(f"{score:.0f}" for score in found["scores"]),
            ]
        )
    if whole := summary["all"]:
        share = f"{whole['iqm']:.2f} ({whole['low']:.2f} to {whole['high']:.2f})"
        table.append(["share of published", "", share, "1.00", "", ""])
    return table


def plot(lengths: Mapping[str, int], reports: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return an SVG of the learning curves: IQM and interval over seeds, the published score dashed."""
    panels = []
    for env_id, runs in reports.items():
        grid = np.linspace(0, lengths[env_id], _GRID + 1)[1:]
        lines = np.stack([_on_grid(report["curve"], grid) for report in runs])
        rng = generator(0, "bootstrap")
        bands = [
            bootstrap_interval([column], interquartile_mean, rng, num_resamples=500) for column in lines.T
        ]
        series = Series(
            name=env_id,
            xs=grid.tolist(),
            ys=[interquartile_mean(column) for column in lines.T],
            lows=[low for low, _ in bands],
            highs=[high for _, high in bands],
        )
        reference = REFERENCES.get(env_id)
        panels.append(Panel(title=env_id, series=[series], line=reference.score if reference else None))
    return curves(panels, "steps")


def _scores(reports: Sequence[Mapping[str, Any]]) -> Float64:
    return np.array([report["true_return"]["mean"] for report in reports], np.float64)


def _on_grid(curve: Sequence[Mapping[str, Any]], grid: Float64) -> Float64:
    if not curve:  # no episode has ended
        return np.zeros(len(grid))
    xs, ys = [point["steps"] for point in curve], [point["true_return"] for point in curve]
    return np.asarray(np.interp(grid, xs, ys), np.float64)


def _rows(env_id: str, reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for report in reports:
        common = {"env": env_id, "seed": report["seed"]}
        rows += [
            {**common, "kind": "training", "steps": point["steps"], "true_return": point["true_return"]}
            for point in report["curve"]
        ]
        final = report["true_return"]["mean"]
        rows.append({**common, "kind": "final", "steps": report["steps"], "true_return": final})
    return rows


def train_run(key: Mapping[str, Any]) -> dict[str, Any]:
    """Make the training run of a ``run_key`` and return what ``train`` reports."""
    steps = key["config"]["schedule"]["total_steps"]
    arguments = ["train", "--task", key["task"], "--steps", str(steps), "--seed", str(key["seed"])]
    return verb_report([*arguments, "--set", *key["settings"]] if key["settings"] else arguments)


def describe_run(key: Mapping[str, Any]) -> str:
    """Return a ``run_key`` in a few words."""
    return f"{key['task']}, seed {key['seed']}"
