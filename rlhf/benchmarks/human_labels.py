"""``human-labels``: how well reward models foretell choices of real people that they have not seen.

For published sets of choices that you have on disk; see ``rlhf.feedback.label_sets`` for their form. Models
are fitted to some of the comparisons and judged on the others, in folds that share no segment; ties are
then foretold by several rules, whose two or three parameters come from the other folds too.
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
from rlhf.evaluation.likelihoods import TIE, TIE_RULES, grouped_folds, held_out_log_likelihood, outcomes
from rlhf.feedback.label_sets import LabelSet, load_label_set
from rlhf.reward.config import RewardConfig
from rlhf.seeding import generator
from rlhf.types.experience import Float64, Int64
from rlhf.types.feedback import PreferenceData
from rlhf.types.task import ActionSpace

NAME = "human-labels"
NO_MODEL = "no model"
_QUICK_COMPARISONS = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """One way of fitting a reward model."""

    model_class: str
    noise: float
    """Share of answers taken to be random in the fit."""
    with_ties: bool
    """Whether answers that call both equal are learned from, as half an answer each way, or left out."""

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.model_class}, noise {self.noise:g}, ties {'half' if self.with_ties else 'left out'}"


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
    folds = grouped_folds(data.first, data.second, options.folds, generator(options.seed, "folds"))
    if len(np.unique(folds)) < 2:
        raise ConfigError(f"all {len(data)} comparisons of {options.path} hang together; they make no folds.")
    answered = outcomes(data.prob_first.astype(np.float64))
    judged = judge(NO_MODEL, np.zeros(len(data)), answered, folds)
    for done, (fit, config) in enumerate(zip(fits, configs, strict=True)):
        tell(done, len(fits), fit.name)
        differences = held_out_differences(data, config, folds, with_ties=fit.with_ties, seed=options.seed)
        judged += judge(fit.name, differences, answered, folds)
    tell(len(fits), len(fits), "done")
    summary = {
        "command": _command(options),
        "set": options.path.stem,
        "comparisons": len(data),
        "ties": float((answered == TIE).mean()),
        "results": judged,
    }
    write_results(options.out, judged, plot(judged), summary)
    share = f"{len(data)} comparisons, {summary['ties']:.0%} of them ties"
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


def held_out_differences(
    data: PreferenceData, config: RewardConfig, folds: Int64, *, with_ties: bool, seed: int
) -> Float64:
    """Return how much better each first segment is than its second, (Q,), by models that have not seen them.

    Differences of returns in logits, of the mean of the ensemble that was fitted to the other folds.
    """
    from rlhf.reward.fit import fit

    found = np.empty(len(data))
    for fold in np.unique(folds):
        held_out = folds == fold
        learned = ~held_out & (with_ties | (data.prob_first != 0.5))
        part = _part(data, learned)
        reference = part.features.reshape(-1, part.features.shape[-1])
        model, _ = fit(part, reference, config, generator(seed, "fit"))
        judged = _part(data, held_out)
        returns = model.member_returns(judged.features).mean(axis=0).astype(np.float64)
        found[held_out] = returns[judged.first] - returns[judged.second]
    return found


def judge(name: str, differences: Float64, answered: Int64, folds: Int64) -> list[dict[str, Any]]:
    """Return for each rule of ties the mean log-likelihood per answer with its 95 % interval."""
    decided = np.where(answered == TIE, 0.5, 1.0 - answered / 2.0)
    predicted = np.where(differences == 0, 0.5, differences > 0).astype(np.float64)
    accuracy = preference_accuracy(predicted, decided)
    results = []
    for kind in TIE_RULES:
        values = held_out_log_likelihood(kind, differences, answered, folds)
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
