"""What each class of reward model makes of few answers: ``python -m rlhf.benchmarks.reward_selection``.

Made-up behaviour of 17 observations, judged by a goal that is linear, quadratic, or neither (speed that
counts only while upright, with thresholds), with 10 % of the answers wrong. Prints the rank correlation of
predicted and true returns of segments that were not asked about, for every class and for ``auto``; then the
processor seconds of a full selection and of a refit that keeps the class, at 500 answers. One thread.
"""

import argparse
import dataclasses
import time
from typing import Literal

import numpy as np
import torch

from rlhf.evaluation.agreement import rank_correlation
from rlhf.reward.config import MODEL_CLASSES, ModelClass, RewardConfig
from rlhf.reward.fit import fit
from rlhf.types.experience import Float32, Float64
from rlhf.types.feedback import PreferenceData

Goal = Literal["linear", "quadratic", "gated"]
GOALS: tuple[Goal, ...] = ("linear", "quadratic", "gated")
COLUMNS: tuple[ModelClass | Literal["auto"], ...] = (*MODEL_CLASSES, "auto")
_OBSERVATIONS = 17
_STEPS = 50
_UNSEEN = 400
_MEMORY = 0.9
"""Correlation of an observation with the one before."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """Answers, and what they should have taught."""

    data: PreferenceData
    unseen: Float32
    """(400, 50, 34), features of segments that were not asked about."""
    returns: Float64
    """(400,), their true mean rewards."""


def make_case(goal: Goal, num_answers: int, seed: int, *, mistakes: float = 0.1) -> Case:
    """Return ``num_answers`` comparisons of distinct segments by one annotator.

    Args:
        goal: what the annotator judges by.
        num_answers: Q.
        seed: decides behaviour, goal and mistakes.
        mistakes: share of answers that are turned round.
    """
    rng = np.random.default_rng([seed, GOALS.index(goal)])
    observations = _behaviour(2 * num_answers + _UNSEEN, rng)
    returns = _rewards(goal, observations[:, 1:], rng).mean(axis=1)
    change = np.diff(observations, axis=1)
    features = np.concatenate([observations[:, :-1], change], axis=-1).astype(np.float32)
    first = np.arange(num_answers)
    second = first + num_answers
    is_first = (returns[first] > returns[second]) ^ (rng.random(num_answers) < mistakes)
    asked = 2 * num_answers
    data = PreferenceData(
        features=features[:asked],
        first=first,
        second=second,
        prob_first=is_first.astype(np.float32),
        annotator=np.zeros(num_answers, np.int64),
    )
    return Case(data=data, unseen=features[asked:], returns=returns[asked:])


def correlation(case: Case, config: RewardConfig, seed: int) -> tuple[float, str]:
    """Return the rank correlation of unseen returns after a fit, and the class that it used."""
    reference = case.data.features.reshape(-1, case.data.features.shape[-1])
    model, report = fit(case.data, reference, config, np.random.default_rng(seed))
    predicted = model.member_returns(case.unseen).mean(axis=0).astype(np.float64)
    return rank_correlation(predicted, case.returns), report.model_class


def main() -> None:
    """Print the table and the seconds."""
    parser = argparse.ArgumentParser(description="What each class of reward model makes of few answers.")
    parser.add_argument("--answers", type=int, nargs="+", default=[30, 100, 300])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two seeds, and no more than 100 answers")
    options = parser.parse_args()
    if options.quick:
        options.answers, options.seeds = [n for n in options.answers if n <= 100], 2
    torch.set_num_threads(1)
    print("goal       answers  " + "  ".join(f"{name:>9}" for name in COLUMNS) + "   auto took")
    for goal in GOALS:
        for num_answers in options.answers:
            _print_row(goal, num_answers, options.seeds)
    for goal in GOALS:
        _print_seconds(goal, 150 if options.quick else 500)


def _behaviour(count: int, rng: np.random.Generator) -> Float64:
    """Return observations (count, 51, 17), each of unit scale, that wander about a point of their own."""
    states = np.empty((count, _STEPS + 1, _OBSERVATIONS))
    states[:, 0] = rng.normal(size=(count, _OBSERVATIONS))
    for step in range(_STEPS):
        pushed = rng.normal(0.0, np.sqrt(1.0 - _MEMORY**2), (count, _OBSERVATIONS))
        states[:, step + 1] = _MEMORY * states[:, step] + pushed
    centred = 0.8 * states + rng.normal(0.0, 0.7, (count, 1, _OBSERVATIONS))
    mixing = 0.8 * np.eye(_OBSERVATIONS) + 0.6 * rng.normal(size=(_OBSERVATIONS, _OBSERVATIONS)) / 4.0
    mixed: Float64 = centred @ mixing
    return np.asarray(mixed / mixed.std(axis=(0, 1)))


def _rewards(goal: Goal, observations: Float64, rng: np.random.Generator) -> Float64:
    """Return the goal's reward of every step, (S, 50)."""
    weights = rng.normal(size=(_OBSERVATIONS, 4)) / np.sqrt(_OBSERVATIONS)
    speed, height, lean, turn = np.moveaxis(observations[..., :4], -1, 0)
    if goal == "linear":
        rewards = observations @ weights[:, 0]
    elif goal == "quadratic":
        rewards = speed - 0.5 * (lean - 0.5) ** 2 + speed * height - ((observations @ weights) ** 2).sum(-1)
    else:
        rewards = np.clip(speed, -2.0, 3.0) * (height > -0.3) + 0.5 * np.abs(lean) - (np.abs(turn) > 1.0)
    return np.asarray(rewards, np.float64)


def _print_row(goal: Goal, num_answers: int, seeds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in COLUMNS}
    took: list[str] = []
    for seed in range(seeds):
        case = make_case(goal, num_answers, seed)
        for name in COLUMNS:
            rho, used = correlation(case, RewardConfig(model_class=name), seed)
            found[name].append(rho)
        took.append(used)
    means = "  ".join(f"{np.mean(found[name]):9.3f}" for name in COLUMNS)
    counts = ", ".join(f"{took.count(name)} {name}" for name in MODEL_CLASSES if name in took)
    print(f"{goal:10} {num_answers:7}  {means}   {counts}", flush=True)


def _print_seconds(goal: Goal, num_answers: int) -> None:
    case = make_case(goal, num_answers, 0)
    reference = case.data.features.reshape(-1, case.data.features.shape[-1])
    started = time.process_time()
    model, report = fit(case.data, reference, RewardConfig(), np.random.default_rng(0))
    chosen = time.process_time()
    fit(case.data, reference, RewardConfig(), np.random.default_rng(0), model)
    again = time.process_time()
    print(
        f"{num_answers} answers, {goal} goal: selection and fit {chosen - started:.2f} s "
        f"({report.model_class}), refit {again - chosen:.2f} s"
    )


if __name__ == "__main__":
    main()
