"""``finetune``: what it is worth to learn a source task before a target task, with the soft Q-learner.

Two measurements for each pair and seed, each ``python -m rlhf transfer`` in a process of its own: the source
is learned, then from the same seed the target by every arm but the guard, or with the guard, as people use
it. Finished ones are kept, so that the benchmark goes on where it stopped.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.processes import (
    Tell,
    add_seed_options,
    measure_all,
    seed_range,
    seeds_as_typed,
    verb_report,
)
from rlhf.benchmarks.results import code_digest, keep_with_results, made_on, measured_before, write_results
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.errors import ConfigError
from rlhf.evaluation.statistics import bootstrap_interval, interquartile_mean
from rlhf.loop.transfer_task import ARMS, SAME_SHAPE_ARMS, Arm
from rlhf.seeding import generator
from rlhf.types.experience import Float64

NAME = "finetune"
SAME_SHAPE_BAR, SAME_SHAPE_PAIRS = 0.5, 6
"""Time to threshold as a share of that from scratch, and on how many pairs it is to be reached."""
UNLIKE_BAR = 0.95
"""Area under the curve that the guard is to keep, as a share of that from scratch."""

_GUARDED: list[Arm] = ["guarded"]
_ALONE = [arm for arm in ARMS if arm not in _GUARDED]
_GRID = 41
_START, _END = 0.05, 0.75
"""The start is the first 5 % of the steps, the end the last quarter."""
_QUICK_STEPS = 512
_QUICK_SETTINGS = ("target.q.hidden=8,8,8", "target.curve_points=2", "target.curve_episodes=2")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A source and a target."""

    source: str
    target: str
    steps: int
    """In the target; the source is learned for twice as many, to be worth starting from."""
    bar: float
    """True return that counts as learned; the time to it is what is compared."""
    settings: tuple[str, ...] = ()
    same_shape: bool = True

    @property
    def name(self) -> str:
        """Return it in one word."""
        return f"{self.source}>{self.target.removeprefix(self.source)}"


def _related(source: str, bar: float, steps: int, settings: tuple[str, ...], *changes: str) -> list[Pair]:
    return [
        Pair(source=source, target=f"{source}+{change}", bar=bar, steps=steps, settings=settings)
        for change in changes
    ]


_PENDULUM = ("target.q.discount=0.97", "target.q.targets=bootstrapped")
PAIRS: Mapping[str, Pair] = {
    pair.name: pair
    for pair in (
        *_related("cartpole-balance", 450, 10_000, (), "gravity=20", "length=1", "pole_mass=0.3"),
        *_related(
            "pendulum-swingup",
            -250,
            12_000,
            _PENDULUM,
            "gravity=6",
            "mass=1.5",
        ),
        *_related(
            "acrobot-swingup",
            -130,
            20_000,
            ("target.persistence=16", "target.q.targets=bootstrapped"),
            "mass_1=1.5",
            "mass_2=1.5",
        ),
        *_related(
            "lunarlander-land",
            50,
            40_000,
            ("target.curve_points=20", "target.curve_episodes=8", "target.q.targets=bootstrapped"),
            "wind=15",
            "gravity=-7",
        ),
        Pair(source="acrobot-swingup", target="cartpole-balance", bar=450, steps=20_000, same_shape=False),
        Pair(
            source="cartpole-balance",
            target="mountaincar-climb",
            bar=-150,
            steps=40_000,
            settings=("target.persistence=16",),
            same_shape=False,
        ),
        Pair(
            source="cartpole-balance",
            target="pendulum-swingup",
            bar=-250,
            steps=12_000,
            settings=_PENDULUM,
            same_shape=False,
        ),
    )
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS, metavar="PAIR")
    parser.add_argument("--so-far", action="store_true", help="only report the runs that there are")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Learn everything that is not learned yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    todo = [(name, seed) for seed in seed_range(options) for name in options.pairs]
    keys = [
        _run_key(PAIRS[name], seed, arms, quick=options.quick)
        for arms in (_ALONE, _GUARDED)
        for name, seed in todo
    ]
    reports: Sequence[dict[str, Any] | None]
    if options.so_far:
        reports = [measured_before(NAME, key) for key in keys]
        keep_with_results(options.out, NAME, keys)
    else:
        reports = measure_all(
            NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell, keep_in=options.out
        )
    found: dict[str, list[dict[str, Any]]] = {}
    for (name, _), alone, guarded in zip(todo, reports[: len(todo)], reports[len(todo) :], strict=True):
        if alone is not None:
            merged = alone | {"arms": alone["arms"] | (guarded or {"arms": {}})["arms"]}
            found.setdefault(name, []).append(merged)
    if not found:
        raise ConfigError("no run is there to report yet; leave out --so-far to make them.")
    pairs = {name: summarise(runs, PAIRS[name].bar) for name, runs in found.items()}
    summary: dict[str, Any] = {
        "command": f"python -m rlhf bench {NAME} --pairs {' '.join(options.pairs)} {seeds_as_typed(options)}",
        "pairs": pairs,
        "verdicts": verdicts(pairs),
    }
    rows = [
        {"pair": name, "arm": arm, "seed": report["seed"], **point}
        for name, runs in found.items()
        for report in runs
        for arm, one in report["arms"].items()
        for point in one["curve"]
    ]
    write_results(options.out, rows, plot(found), summary, made_on(NAME, keys))
    missing = sum(report is None for report in reports)
    notes = _notes(summary["verdicts"]) + (
        f"\n{missing} of {len(keys)} runs are still missing." if missing else ""
    )
    return summary, text_rows(summary), notes


def summarise(reports: Sequence[Mapping[str, Any]], bar: float) -> dict[str, Any]:
    """Return what each arm of a pair came to, beside learning from scratch; seeds are paired.

    Args:
        reports: one per seed, as the verb ``transfer`` writes them; an arm that one lacks is left out.
        bar: true return that counts as learned.
    """
    lines = {arm: np.stack([_on_grid(report, arm) for report in reports]) for arm in _common_arms(reports)}
    grid = np.linspace(0.0, 1.0, _GRID)
    first = float(lines["scratch"][:, 0].mean())
    base = (lines["scratch"] - first) / (bar - first)
    arms = {}
    for arm, values in lines.items():
        scores = (values - first) / (bar - first)
        times = np.stack([_times(scores, grid), _times(base, grid)], axis=1)
        areas = np.stack([scores.mean(axis=1), base.mean(axis=1)], axis=1)
        early = grid <= _START
        arms[arm] = {
            "jumpstart": _interval(scores[:, early].mean(axis=1) - base[:, early].mean(axis=1), np.mean),
            "time_ratio": _interval(times, _ratio),
            "area_ratio": _interval(areas, _ratio),
            "reached": int((times[:, 0] < 1).sum()),
            "end": _interval(scores[:, grid >= _END].mean(axis=1), np.mean),
            "true_return": float(np.mean([report["arms"][arm]["true_return"] for report in reports])),
            "trainable_share": reports[0]["arms"][arm]["trainable_share"],
            "source_change": max(
                abs(report["arms"][arm]["source_return_after"] - report["source_return"])
                for report in reports
            ),
        }
    return {
        "arms": arms,
        "seeds": len(reports),
        "steps": reports[0]["steps"],
        "kept_transfer": sum(
            report["arms"]["guarded"]["kept"] == "transfer" for report in reports if "guarded" in arms
        ),
        "source_return": float(np.mean([report["source_return"] for report in reports])),
        "first_return": first,
        "bar": bar,
    }


def verdicts(pairs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what was asked for and what of it was reached."""
    same = {name: found["arms"] for name, found in pairs.items() if PAIRS[name].same_shape}
    unlike = {name: found["arms"] for name, found in pairs.items() if not PAIRS[name].same_shape}
    return {
        "same_shape": {
            "pairs": len(same),
            "fast": sum(arms["partial"]["time_ratio"]["value"] <= SAME_SHAPE_BAR for arms in same.values()),
            "fast_whole": sum(
                arms["whole"]["time_ratio"]["value"] <= SAME_SHAPE_BAR for arms in same.values()
            ),
            "random_trunk_worse": sum(
                arms["random trunk"]["area_ratio"]["value"] < arms["partial"]["area_ratio"]["value"]
                for arms in same.values()
            ),
            "wanted": SAME_SHAPE_PAIRS,
        },
        "source_unchanged": all(found["arms"]["partial"]["source_change"] == 0 for found in pairs.values()),
        "unlike": {
            name: arms["guarded"]["area_ratio"]["value"] >= UNLIKE_BAR
            for name, arms in unlike.items()
            if "guarded" in arms
        },
    }


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["pair", "arm", "learns", "jumpstart", "time ratio", "reached", "area ratio", "end", "return"]]
    for name, found in summary["pairs"].items():
        for arm, one in found["arms"].items():
            kept = f" ({found['kept_transfer']}/{found['seeds']} transfer)" if arm == "guarded" else ""
            table.append(
                [
                    name if arm == "scratch" else "",
                    arm + kept,
                    f"{one['trainable_share']:.0%}",
                    _shown(one["jumpstart"]),
                    _shown(one["time_ratio"]),
                    f"{one['reached']}/{found['seeds']}",
                    _shown(one["area_ratio"]),
                    _shown(one["end"]),
                    f"{one['true_return']:.0f}",
                ]
            )
    return table


def plot(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return an SVG of true return over steps: IQM and interval over seeds, one panel per pair."""
    panels = []
    for name, reports in found.items():
        xs = np.linspace(0, reports[0]["steps"], _GRID).tolist()
        series = []
        for arm in _common_arms(reports):
            columns = np.stack([_on_grid(report, arm) for report in reports]).T
            points = [_interval(column, interquartile_mean) for column in columns]
            series.append(
                Series(
                    name=arm,
                    xs=xs,
                    ys=[point["value"] for point in points],
                    lows=[point["low"] for point in points],
                    highs=[point["high"] for point in points],
                )
            )
        panels.append(Panel(title=name, series=series))
    return curves(panels, "steps")


def _notes(found: Mapping[str, Any]) -> str:
    same, unlike = found["same_shape"], found["unlike"]
    lines = [
        "Returns are scaled: 0 before anything is learned, 1 the pair's bar. Time: steps to the bar, all of "
        "them where it is not reached. Area: under the curve. Both as a ratio to scratch, with 95 % "
        "intervals over paired seeds. No past: as partial, without the source's past episodes."
    ]
    if same["pairs"]:
        lines.append(
            f"Same shape: time ratio of partial <= {SAME_SHAPE_BAR} on {same['fast']} of {same['pairs']} "
            f"pairs (whole: {same['fast_whole']}; asked for: {same['wanted']} of 8); "
            f"the random trunk is worse on "
            f"{same['random_trunk_worse']}. The source is "
            f"{'unchanged' if found['source_unchanged'] else 'CHANGED'} by partial."
        )
    lines += [
        f"{name}: with the guard {'not worse' if good else 'WORSE'} than scratch by more than 5 % area."
        for name, good in unlike.items()
    ]
    return "\n".join(lines)


def _run_key(pair: Pair, seed: int, arms: Sequence[Arm], *, quick: bool) -> dict[str, Any]:
    return {
        "arms": [arm for arm in arms if pair.same_shape or arm not in SAME_SHAPE_ARMS],
        "source": pair.source,
        "target": pair.target,
        "seed": seed,
        "steps": _QUICK_STEPS if quick else pair.steps,
        "settings": [*pair.settings, *(_QUICK_SETTINGS if quick else ())],
        "code": code_digest("rlhf.loop.transfer_task", "rlhf.loop.learn_from_past"),
    }


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    steps = str(key["steps"])
    arguments = ["transfer", "--source", key["source"], "--target", key["target"], "--arms", *key["arms"]]
    arguments += ["--seed", str(key["seed"]), "--steps", steps, "--source-steps", str(2 * key["steps"])]
    return verb_report([*arguments, "--set", *key["settings"]] if key["settings"] else arguments)


def _describe(key: Mapping[str, Any]) -> str:
    guard = "with the guard" if key["arms"] == _GUARDED else "without"
    return f"{key['source']} to {key['target']}, seed {key['seed']}, {guard}"


def _common_arms(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the arms that all of a pair's reports have, in their order."""
    return [arm for arm in reports[0]["arms"] if all(arm in report["arms"] for report in reports)]


def _on_grid(report: Mapping[str, Any], arm: str) -> Float64:
    points = report["arms"][arm]["curve"]
    at = [min(1.0, point["steps"] / report["steps"]) for point in points]
    line: Float64 = np.interp(np.linspace(0.0, 1.0, _GRID), at, [point["true_return"] for point in points])
    return line


def _times(scores: Float64, grid: Float64) -> Float64:
    """Return the share of the steps after which three points in a row come to 1 on average; 1 if never."""
    padded = np.concatenate([scores, scores[:, -1:], scores[:, -1:]], axis=1)
    smooth = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1).mean(axis=2)
    above = smooth >= 1.0
    return np.where(above.any(axis=1), grid[above.argmax(axis=1)], 1.0)


def _ratio(pairs: Float64) -> float:
    """Return the ratio of two sums over seeds, (seeds, 2); 1 where nothing was to be gained."""
    mine, theirs = pairs.sum(axis=0)
    return float(mine / theirs) if theirs > 0 else 1.0


def _interval(values: Float64, statistic: Callable[[Any], Any]) -> dict[str, float]:
    low, high = bootstrap_interval([values], statistic, generator(0, "bootstrap"), num_resamples=1000)
    return {"value": float(statistic(values)), "low": low, "high": high}


def _shown(found: Mapping[str, float]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
