"""``design``: how many answers a designed reward saves, and what a wrong one costs.

Behaviour of real environments is judged by a made-up taste. The reward starts from nothing, from a design
that says what the taste says as far as a weighted sum can, from one that is half right (a feature that
matters and one that does not, alike), and from the opposite. Measured is the share of unseen pairs that it
orders right.
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
from rlhf.benchmarks.transfer_pairs import NOISES, Behaviour, Noise, Taste, behaviour_of, compare, values_of
from rlhf.evaluation.agreement import preference_accuracy
from rlhf.reward.config import RewardConfig
from rlhf.reward.design import DesignedReward
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.types.design import Design, Term
from rlhf.types.experience import Float64, Int64

NAME = "design"
ANSWERS = (0, 5, 10, 20, 50)
ARMS = ("none", "right", "half right", "opposite")
SURE = 0.5
_TESTED = 300
_TYPICAL = 200
"""Segments that say what typical is."""
_NOTE = (
    "Share of unseen pairs ordered right, mean over seeds. The difference to no design is taken within a "
    "seed, with its 95 % bootstrap interval."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A task, what is liked in it, and what could be thought to be liked."""

    task: str
    taste: Taste
    right: Taste
    unrelated: str
    """A feature that the taste does not care for."""

    def design(self, arm: str) -> Taste:
        """Return the weights that a design of this kind has; none for no design."""
        heaviest = max(self.right, key=lambda name: abs(self.right[name]))
        return {
            "none": {},
            "right": self.right,
            "half right": {heaviest: self.right[heaviest], self.unrelated: self.right[heaviest]},
            "opposite": {name: -weight for name, weight in self.right.items()},
        }[arm]


CASES: Mapping[str, Case] = {
    "hopper, run high": Case(
        task="hopper-run",
        taste={"forward velocity": 1.0, "height": 0.4},
        right={"forward velocity": 1.0, "height": 0.4},
        unrelated="torso angular velocity",
    ),
    "halfcheetah, run calmly": Case(
        task="halfcheetah-run",
        taste={"forward velocity": 1.0, "rocking": -0.4},
        right={"forward velocity": 1.0},
        unrelated="height",
    ),
    "pendulum, upright calmly": Case(
        task="pendulum-swingup",
        taste={"upright": 1.0, "spinning": -0.3},
        right={"cosine of angle": 1.0},
        unrelated="sine of angle",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES, metavar="CASE")
    parser.add_argument("--sure", type=float, default=SURE, help="how sure every term of the designs is")
    add_seed_options(parser, NAME)


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure everything that is not measured yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
    """
    import torch

    answers = ANSWERS[:2] if options.quick else ANSWERS
    torch.set_num_threads(1)
    todo = [(case, noise, seed) for seed in seed_range(options) for case in options.cases for noise in NOISES]
    keys = [
        {
            "case": case,
            "noise": noise,
            "seed": seed,
            "answers": list(answers),
            "sure": options.sure,
            "code": code_digest("rlhf.benchmarks.design", "rlhf.benchmarks.transfer_pairs"),
        }
        for case, noise, seed in todo
    ]
    measured = measure_all(NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell)
    found = [
        {"case": case, "noise": noise, "seed": seed, **row}
        for (case, noise, seed), rows in zip(todo, measured, strict=True)
        for row in rows["rows"]
    ]
    summary = {
        "command": f"python -m rlhf bench {NAME} --sure {options.sure} {seeds_as_typed(options)}",
        "cases": summarise(found),
    }
    write_results(options.out, found, plot(found), summary)
    return summary, text_rows(summary), _NOTE


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    return measure(key["case"], key["noise"], key["seed"], key["answers"], key["sure"])


def _describe(key: Mapping[str, Any]) -> str:
    return f"{key['case']}, {key['noise']}, seed {key['seed']}"


def measure(case_name: str, noise: Noise, seed: int, answers: Sequence[int], sure: float) -> dict[str, Any]:
    """Return the share of unseen pairs that every arm orders right at each number of answers."""
    from rlhf.reward.fit import fit, fit_design

    case = CASES[case_name]
    rng = generator(seed, f"{case_name} {noise}")
    behaviour = _behaviour(case.task)
    values = values_of(behaviour, case.taste, rng)
    tested, asked = np.split(rng.permutation(len(behaviour.features)), [2 * _TESTED])
    typical = behaviour.features[asked[-_TYPICAL:]]
    steps = typical.reshape(-1, typical.shape[-1])
    config, rows = RewardConfig(model_class="linear"), []
    for count in answers:
        row: dict[str, Any] = {"answers": count}
        for arm in ARMS:
            designed = _designed(case.design(arm), behaviour, typical, sure)
            drawn = generator(seed, f"fit {count}")
            if count:
                data = compare(
                    behaviour, values, asked[: 2 * count], noise, generator(seed, f"answers {count}")
                )
                model, _ = fit(data, steps, config, drawn, designed=designed)
                row[arm] = _right(model, behaviour, values, tested)
            elif designed is None:
                row[arm] = 0.5
            else:
                row[arm] = _right(fit_design(designed, steps, config, drawn)[0], behaviour, values, tested)
        rows.append(row)
    return {"rows": rows}


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each case, noise and number of answers, the arms' means and their gains over none."""
    found = []
    for case, noise, count in dict.fromkeys((row["case"], row["noise"], row["answers"]) for row in rows):
        own = [row for row in rows if (row["case"], row["noise"], row["answers"]) == (case, noise, count)]
        arms = {arm: np.array([row[arm] for row in own]) for arm in ARMS}
        found.append(
            {
                "case": case,
                "noise": noise,
                "answers": count,
                "seeds": len(own),
                "right": {arm: float(values.mean()) for arm, values in arms.items()},
                "gain": {arm: mean_interval(arms[arm] - arms["none"]) for arm in ARMS[1:]},
            }
        )
    return found


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["case", "answers are", "number", *ARMS, *(f"{arm} - none" for arm in ARMS[1:])]]
    for row in summary["cases"]:
        table.append(
            [
                row["case"],
                row["noise"],
                str(row["answers"]),
                *(f"{row['right'][arm]:.3f}" for arm in ARMS),
                *(_shown(row["gain"][arm]) for arm in ARMS[1:]),
            ]
        )
    return table


def plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the arms over answers, one panel per case and kind of answers."""
    panels = []
    for case, noise in dict.fromkeys((row["case"], row["noise"]) for row in rows):
        own = [row for row in rows if (row["case"], row["noise"]) == (case, noise)]
        counts = sorted({row["answers"] for row in own})
        series = []
        for arm in ARMS:
            samples = [np.array([r[arm] for r in own if r["answers"] == n]) for n in counts]
            series.append(Series.of_means(arm, counts, samples))
        panels.append(Panel(title=f"{case}, {noise}", series=series))
    return curves(panels, "answers")


@functools.cache
def _behaviour(task_name: str) -> Behaviour:
    return behaviour_of(task_name, is_learned=False)


def _designed(weights: Taste, behaviour: Behaviour, typical: Any, sure: float) -> DesignedReward | None:
    if not weights:
        return None
    return DesignedReward(
        number=1,
        design=Design(
            terms=tuple(Term(feature=name, weight=weight, sure=sure) for name, weight in weights.items())
        ),
        columns=np.array([behaviour.names.index(name) for name in weights], np.int64),
        segments=typical,
    )


def _right(model: RewardModel, behaviour: Behaviour, values: Float64, tested: Int64) -> float:
    """Return the share of tested pairs, first half beside second, that it orders as the taste does."""
    first, second = np.split(np.arange(len(tested)), 2)
    returns = model.member_returns(behaviour.features[tested])
    predicted = model.member_probs(returns, first, second).mean(axis=0, dtype=np.float64)
    liked = (values[tested[first]] > values[tested[second]]).astype(np.float64)
    return preference_accuracy(predicted, liked)


def _shown(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
