"""``transfer``: how many answers a reward saves by starting from a source's answers; what a bad one costs.

A source's reward learns from 300 answers; the target's from a few, of which the same unseen answers are then
foretold. Arms: from scratch, the source alone, the source always used, and the tuner, which decides by
unseen answers whether to use it. Seven tenths of the answers are given to the tuner too: is it then as good
as scratch with all of them?
"""

import argparse
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import mean_interval
from rlhf.benchmarks.processes import Tell, add_seed_options, measure_all, seed_range, seeds_as_typed
from rlhf.benchmarks.results import code_digest, write_results
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.benchmarks.transfer_pairs import (
    NOISES,
    PAIRS,
    Behaviour,
    Noise,
    behaviour_of,
    compare,
    prob_first,
    values_of,
)
from rlhf.reward.chosen import unchosen
from rlhf.reward.config import ModelClass, RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.source import Source, match_features
from rlhf.seeding import generator
from rlhf.types.experience import Float32, Float64, Int64

NAME = "transfer"
ANSWERS = (20, 50, 100)
SAVED = 0.3
"""Share of the answers that the tuner is to do without."""
LOSS = 0.01
"""Nats that it may be worse than scratch."""
ARMS = ("scratch", "source only", "source forced", "tuner")
_FEWER = "tuner, 30 % fewer"
_SOURCE_ANSWERS = 300
_TESTED = 200
_CLASS: ModelClass = "linear"
"""Of all rewards, so that arms differ in nothing but the source."""
_NOTE = (
    "Mean log loss of unseen answers in nats; mean over seeds. Differences are taken within a seed, with "
    "their 95 % bootstrap interval: tuner less scratch at as many answers, and with 30 % fewer of them."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS, metavar="PAIR")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure everything that is not measured yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
    """
    import torch

    answers = ANSWERS[:1] if options.quick else ANSWERS
    torch.set_num_threads(1)
    todo = [(pair, noise, seed) for seed in seed_range(options) for pair in options.pairs for noise in NOISES]
    code = code_digest("rlhf.benchmarks.transfer", "rlhf.benchmarks.transfer_pairs")
    keys = [
        {"pair": pair, "noise": noise, "seed": seed, "answers": list(answers), "code": code}
        for pair, noise, seed in todo
    ]
    measured = measure_all(NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell)
    found = [
        {"pair": pair, "noise": noise, "seed": seed, **row}
        for (pair, noise, seed), losses in zip(todo, measured, strict=True)
        for row in losses["rows"]
    ]
    summary = {
        "command": f"python -m rlhf bench {NAME} {seeds_as_typed(options)}",
        "pairs": summarise(found),
    }
    write_results(options.out, found, plot(found), summary)
    return summary, text_rows(summary), _NOTE


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    return measure(key["pair"], key["noise"], key["seed"], key["answers"])


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['pair']}, {key['noise']}, seed {key['seed']}"


def measure(pair_name: str, noise: Noise, seed: int, answers: Sequence[int]) -> dict[str, Any]:
    """Return the log loss of every arm at each number of answers, one row each."""
    from rlhf.reward.fit import fit

    pair = PAIRS[pair_name]
    rng = generator(seed, f"{pair_name} {noise}")
    theirs, ours = _behaviour(pair.source_task, False), _behaviour(pair.target_task, pair.is_later)
    order = rng.permutation(len(theirs.features))[: 2 * _SOURCE_ANSWERS]
    values = values_of(theirs, pair.source, rng)
    config = RewardConfig(model_class=_CLASS)
    said = compare(theirs, values, order, noise, rng)
    model, _ = fit(said, _steps(said.features), config, rng)
    columns = np.arange(model.num_features)
    if theirs.names != ours.names:
        columns = match_features(theirs.names, ours.names)
    source = Source(model=model, columns=columns)
    values = values_of(ours, pair.target, rng)
    tested, asked = np.split(rng.permutation(len(ours.features)), [2 * _TESTED])

    def learned(count: int, previous: RewardModel | None, start: Source | None) -> float:
        data = compare(ours, values, asked[: 2 * count], noise, generator(seed, f"answers {count}"))
        fitted, _ = fit(
            data, _steps(data.features), config, generator(seed, f"fit {count}"), previous, source=start
        )
        return _loss(fitted, ours.features, values, tested, noise)

    chosen = dataclasses.replace(unchosen(_CLASS, start="source"), num_answers=max(answers))
    forced = dataclasses.replace(model, selection=chosen)
    alone = _loss(model, _seen(source, ours.features[tested]), values, tested, noise, is_cut=True)
    rows = []
    for count in answers:
        fewer = round((1.0 - SAVED) * count)
        losses = (
            learned(count, None, None),
            alone,
            learned(count, forced, source),
            learned(count, None, source),
            learned(fewer, None, source),
        )
        rows.append({"answers": count, **dict(zip((*ARMS, _FEWER), losses, strict=True))})
    return {"rows": rows}


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each pair, noise and number of answers, the arms' means, the differences and the bars."""
    found = []
    for pair, noise, count in dict.fromkeys((row["pair"], row["noise"], row["answers"]) for row in rows):
        own = [row for row in rows if (row["pair"], row["noise"], row["answers"]) == (pair, noise, count)]
        arms = {arm: np.array([row[arm] for row in own]) for arm in (*ARMS, _FEWER)}
        worse = mean_interval(arms["tuner"] - arms["scratch"])
        fewer = mean_interval(arms[_FEWER] - arms["scratch"])
        is_related = PAIRS[pair].is_related
        found.append(
            {
                "pair": pair,
                "noise": noise,
                "answers": count,
                "seeds": len(own),
                "losses": {arm: float(values.mean()) for arm, values in arms.items()},
                "worse": worse,
                "fewer": fewer,
                "is_safe": worse["mean"] <= LOSS,
                "saves": fewer["mean"] <= 0.0 if is_related else None,
            }
        )
    return found


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["pair", "answers are", "number", *ARMS, "tuner - scratch", "with 30 % fewer", "safe", "saves"]]
    words = {True: "yes", False: "no", None: ""}
    for row in summary["pairs"]:
        table.append(
            [
                row["pair"],
                row["noise"],
                str(row["answers"]),
                *(f"{row['losses'][arm]:.3f}" for arm in ARMS),
                _shown(row["worse"]),
                _shown(row["fewer"]),
                words[row["is_safe"]],
                words[row["saves"]],
            ]
        )
    return table


def plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the arms' losses over answers, one panel per pair and kind of answers."""
    panels = []
    for pair, noise in dict.fromkeys((row["pair"], row["noise"]) for row in rows):
        own = [row for row in rows if (row["pair"], row["noise"]) == (pair, noise)]
        counts = sorted({row["answers"] for row in own})
        series = []
        for arm in ARMS:
            samples = [np.array([r[arm] for r in own if r["answers"] == n]) for n in counts]
            series.append(Series.of_means(arm, counts, samples))
        panels.append(Panel(title=f"{pair}, {noise}", series=series))
    return curves(panels, "answers")


@functools.cache
def _behaviour(task_name: str, is_learned: bool) -> Behaviour:
    return behaviour_of(task_name, is_learned=is_learned)


def _steps(features: Float32) -> Float32:
    return features.reshape(-1, features.shape[-1])


def _seen(source: Source, features: Float32) -> Float32:
    """Return what the source sees of this run's segments."""
    return source.seen(_steps(features)).reshape(*features.shape[:2], -1)


def _loss(
    model: RewardModel,
    features: Float32,
    values: Float64,
    tested: Int64,
    noise: Noise,
    *,
    is_cut: bool = False,
) -> float:
    """Return the expected log loss of the ensemble's mean probability over the tested pairs.

    Args:
        model: a reward.
        features: of all segments, or of the tested ones alone if ``is_cut``.
        values: what the taste makes of all segments.
        tested: segments, of which the first half is compared with the second.
        noise: of the answers.
        is_cut: see ``features``.
    """
    first, second = np.split(np.arange(len(tested)), 2)
    returns = model.member_returns(features if is_cut else features[tested])
    predicted = model.member_probs(returns, first, second).mean(axis=0, dtype=np.float64)
    true = prob_first(values[tested[first]] - values[tested[second]], noise)
    return float(-(true * np.log(predicted) + (1.0 - true) * np.log1p(-predicted)).mean())


def _shown(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
