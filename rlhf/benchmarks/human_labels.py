"""``human-labels``: how well reward models foretell choices of real people that they have not seen.

For published sets of choices that you have on disk; see ``rlhf.feedback.label_sets`` for their form. Models
are fitted to some of the comparisons and judged on the others, in folds that share no row of the data; ties
are then foretold by several rules, whose two or three parameters come from the other folds too, and by the
answer model that was fitted with the reward.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import mean_interval
from rlhf.benchmarks.processes import Tell
from rlhf.benchmarks.results import RESULTS, write_results
from rlhf.benchmarks.svg import Panel, Series, dots
from rlhf.config import override
from rlhf.errors import ConfigError
from rlhf.evaluation.agreement import preference_accuracy
from rlhf.evaluation.likelihoods import TIE, TIE_RULES, held_out_log_likelihood, outcomes
from rlhf.feedback.label_sets import LabelSet, load_label_set
from rlhf.reward.answer_model import AnswerModel, comparison_terms, intervals
from rlhf.reward.config import RewardConfig
from rlhf.reward.folds import Folds, make_folds
from rlhf.seeding import generator
from rlhf.types.experience import Float64, Int64
from rlhf.types.feedback import PreferenceData
from rlhf.types.task import ActionSpace

NAME = "human-labels"
NO_MODEL = "no model"
OWN = "its own"
"""In place of a rule of ties: the answer model that was fitted with the reward."""
_QUICK_COMPARISONS = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """One way of fitting a reward model."""

    model_class: str
    noise: float
    """Share of answers taken to be random in the fit."""
    with_ties: bool
    """Whether answers that call both equal are learned from, or left out. They stand for an interval of
    leads about 0, whose width is learned: the model of Rao and Kupper."""

    @property
    def name(self) -> str:
        """How tables call it."""
        ties = "as an interval" if self.with_ties else "left out"
        return f"{self.model_class}, noise {self.noise:g}, ties {ties}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Foretold:
    """What models say of answers that they have not seen; arrays (Q,)."""

    differences: Float64
    """How much better the first segment is than the second, in logits, by the mean of the ensemble."""
    own: Float64
    """Log-probability of the answer under the fitted answer model, in nats; never below that of 1e-12."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--path", type=Path, required=True, metavar="FILE", help="choices, npz or csv")
    parser.add_argument(
        "--transitions", type=Path, required=True, metavar="FILE", help="what they are about, npz"
    )
    parser.add_argument("--segment-steps", type=int, default=100, metavar="L", help="steps of a segment")
    parser.add_argument("--classes", nargs="+", default=["linear", "mlp"], metavar="CLASS")
    parser.add_argument("--noises", nargs="+", type=float, default=[0.0, 0.1], metavar="SHARE")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"the first {_QUICK_COMPARISONS} comparisons")
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Fit, judge, write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        FeedbackError: a file cannot be read.
    """
    if options.folds < 2:
        raise ConfigError(f"--folds is {options.folds}; at least 2 are needed.")
    fits = [
        Fit(model_class=model_class, noise=noise, with_ties=with_ties)
        for model_class, noise, with_ties in itertools.product(options.classes, options.noises, (True, False))
    ]
    configs = [reward_config(fit) for fit in fits]
    label_set = load_label_set(options.path, options.transitions, options.segment_steps)
    data = preference_data(label_set, _QUICK_COMPARISONS if options.quick else None)
    folds = answer_folds(
        data, label_set.starts, options.segment_steps, options.folds, generator(options.seed, "folds")
    )
    if folds.is_tested.any(axis=1).sum() < 2:
        raise ConfigError(f"all {len(data)} comparisons of {options.path} hang together; they make no folds.")
    is_judged = folds.is_tested.any(axis=0)
    fold_of = folds.is_tested.argmax(axis=0)[is_judged]
    answered = outcomes(data.prob_first.astype(np.float64))[is_judged]
    judged = judge(NO_MODEL, np.zeros(len(answered)), answered, fold_of)
    for done, (fit, config) in enumerate(zip(fits, configs, strict=True)):
        tell(done, len(fits), fit.name)
        found = foretell(data, config, folds, with_ties=fit.with_ties, seed=options.seed)
        own = found.own[is_judged] if fit.with_ties else None
        judged += judge(fit.name, found.differences[is_judged], answered, fold_of, own)
    tell(len(fits), len(fits), "done")
    summary = {
        "command": _command(options),
        "set": options.path.stem,
        "comparisons": len(data),
        "judged": len(answered),
        "ties": float((answered == TIE).mean()),
        "results": judged,
    }
    write_results(options.out, judged, plot(judged), summary)
    share = f"{len(data)} comparisons, {len(answered)} judged, {summary['ties']:.0%} of those ties"
    return summary, text_rows(judged), f"{share}. Higher is better; guessing among three is {-np.log(3):.3f}."


def _command(options: argparse.Namespace) -> str:
    return (
        f"python -m rlhf bench {NAME} --path {options.path.name} --transitions {options.transitions.name} "
        f"--segment-steps {options.segment_steps} --classes {' '.join(options.classes)} --noises "
        f"{' '.join(f'{noise:g}' for noise in options.noises)} --folds {options.folds} --seed {options.seed}"
        + (" --quick" if options.quick else "")
    )


def reward_config(fit: Fit) -> RewardConfig:
    """Return the settings of a fit.

    Raises:
        ConfigError: a class is unknown, or a share cannot be one.
    """
    changes = {"model_class": fit.model_class, "noise": fit.noise, "use_actions": True}
    return override(RewardConfig(), changes)


def preference_data(label_set: LabelSet, count: int | None = None) -> PreferenceData:
    """Return (the first ``count``) comparisons as the reward model takes them: state, change, action."""
    from rlhf.reward.features import RewardInputs

    space = ActionSpace("continuous", label_set.actions.shape[-1])
    inputs = RewardInputs(action_space=space, use_actions=True)
    features = inputs.steps(label_set.observations, label_set.actions, label_set.next_observations)
    return PreferenceData(
        features=features,
        first=label_set.first[:count],
        second=label_set.second[:count],
        prob_first=label_set.prob_first[:count],
        annotator=label_set.annotator[:count],
    )


def answer_folds(
    data: PreferenceData, starts: Int64, segment_steps: int, num_folds: int, rng: np.random.Generator
) -> Folds:
    """Return folds of the comparisons whose tests share no row with what is trained on.

    Segments that overlap, directly or through others, stay together, as one segment does in any folds.

    Args:
        data: the comparisons.
        starts: row at which each segment starts, rising, (S,).
        segment_steps: rows of a segment.
        num_folds: into how many they are divided.
        rng: decides which.
    """
    group = np.cumsum(np.diff(starts, prepend=starts[0]) >= segment_steps, dtype=np.int64)
    nothing = np.zeros((len(starts), 1, 1), np.float32)
    grouped = dataclasses.replace(data, features=nothing, first=group[data.first], second=group[data.second])
    return make_folds(grouped, num_folds, 1, rng)


def foretell(
    data: PreferenceData, config: RewardConfig, folds: Folds, *, with_ties: bool, seed: int
) -> Foretold:
    """Return what models say that were fitted to what each fold trains on; NaN of answers that none tests."""
    from rlhf.reward.fit import fit

    differences, own = np.full((2, len(data)), np.nan)
    for trains, is_tested in zip(folds.trains > 0, folds.is_tested, strict=True):
        if not is_tested.any():
            continue
        part = _part(data, trains & (with_ties | ~data.is_tie))
        reference = part.features.reshape(-1, part.features.shape[-1])
        model, _ = fit(part, reference, config, generator(seed, "fit"))
        judged = _part(data, is_tested)
        returns = model.member_returns(judged.features).mean(axis=0).astype(np.float64)
        differences[is_tested] = returns[judged.first] - returns[judged.second]
        said = intervals(judged, _with_strangers(model.answer_model, data.num_annotators))
        with np.errstate(divide="ignore", invalid="ignore"):  # to who saw no tie, one is impossible
            own[is_tested] = comparison_terms(differences[is_tested], said).log_prob
    return Foretold(differences=differences, own=np.maximum(own, np.log(1e-12)))


def _with_strangers(model: AnswerModel, num_annotators: int) -> AnswerModel:
    """Return the model with ordinary annotators up to the given number."""
    missing = (0, max(0, num_annotators - len(model.rationality)))
    return dataclasses.replace(
        model,
        rationality=np.pad(model.rationality, missing, constant_values=1.0),
        side_bias=np.pad(model.side_bias, missing),
    )


def judge(
    name: str, differences: Float64, answered: Int64, folds: Int64, own: Float64 | None = None
) -> list[dict[str, Any]]:
    """Return for each rule of ties the mean log-likelihood per answer with its 95 % interval.

    Args:
        name: of the fit.
        differences: see ``Foretold``, (Q,).
        answered: what was answered, (Q,).
        folds: which fold tests each answer, (Q,).
        own: see ``Foretold``, (Q,); None where the fit has not seen that people call things equal.
    """
    decided = np.where(answered == TIE, 0.5, 1.0 - answered / 2.0)
    predicted = np.where(differences == 0, 0.5, differences > 0).astype(np.float64)
    accuracy = preference_accuracy(predicted, decided)
    by_rule = {kind: held_out_log_likelihood(kind, differences, answered, folds) for kind in TIE_RULES}
    if own is not None:
        by_rule[OWN] = own
    results = []
    for kind, values in by_rule.items():
        found = mean_interval(values)
        results.append(
            {
                "fit": name,
                "ties": kind,
                "log_likelihood": found["mean"],
                "low": found["low"],
                "high": found["high"],
                "accuracy": accuracy if np.isfinite(accuracy) else None,
            }
        )
    return results


def text_rows(judged: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the results as a header and rows of text."""
    table = [["fit", "rule of ties", "log-likelihood (95 %)", "right of those decided"]]
    for found in judged:
        score = f"{found['log_likelihood']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
        accuracy = "" if found["accuracy"] is None else f"{found['accuracy']:.0%}"
        table.append([found["fit"], found["ties"], score, accuracy])
    return table


def plot(judged: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the probability of an answer (geometric mean) by rule of ties, one panel per fit."""
    panels = []
    for name in dict.fromkeys(found["fit"] for found in judged):
        series = [
            Series(
                name=found["ties"],
                xs=[0],
                ys=[float(np.exp(found["log_likelihood"]))],
                lows=[float(np.exp(found["low"]))],
                highs=[float(np.exp(found["high"]))],
            )
            for found in judged
            if found["fit"] == name
        ]
        panels.append(Panel(title=name, series=series, line=1.0 / 3.0))
    return dots(panels)


def _part(data: PreferenceData, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> PreferenceData:
    """Return some of the comparisons with only the segments that are in them."""
    used, index = np.unique(np.stack([data.first[chosen], data.second[chosen]]), return_inverse=True)
    first, second = index.reshape(2, -1)
    return PreferenceData(
        features=data.features[used],
        first=first.astype(np.int64),
        second=second.astype(np.int64),
        prob_first=data.prob_first[chosen],
        annotator=data.annotator[chosen],
    )
