"""Answers -> the next version of the reward model, and how well it was learned."""

import dataclasses
import math
import time

import numpy as np
import torch

from rlhf.checks import check_finite, check_shape
from rlhf.errors import FeedbackError
from rlhf.reward.annotators import HeldOutReturns, held_out_returns, learn_annotators, standard_errors
from rlhf.reward.answer_model import AnswerModel, comparison_terms, intervals, ordinary
from rlhf.reward.bootstrap import bootstrap_weights, holds_out
from rlhf.reward.chosen import Selection
from rlhf.reward.config import NETWORK_CLASSES, RewardConfig
from rlhf.reward.design import (
    DesignedReward,
    TermReport,
    learned_terms,
    reward_of_design,
    unlearned_terms,
)
from rlhf.reward.encoder import MIN_SEQUENCES, train_encoder
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.influence import disagreement, influences
from rlhf.reward.normalise import input_normaliser, output_normaliser
from rlhf.reward.prior import make_prior
from rlhf.reward.selection import (
    CandidateScore,
    Problem,
    allowed_classes,
    fit_members,
    is_fresh,
    make_problem,
    select,
)
from rlhf.reward.source import Source
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData
from rlhf.types.reward import AnswerViews

__all__ = ["AnnotatorReport", "FitReport", "RewardConfig", "accuracy", "fit", "fit_design"]

_PILOTS = 8
"""Bootstrap fits that annotators are judged by."""
_PILOT_RIDGE = 10.0
"""Their penalty before one was chosen; rather too strong, so that few answers are not learned by heart."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnotatorReport:
    """What was learned of one annotator."""

    num_answers: int
    rationality: float
    """How strongly the answers follow the reward; 1 is usual in this run, 0 is a coin."""
    side_bias: float
    """What being shown left is worth, in logits."""
    accuracy: float
    """Share of comparisons as a model expected that had not seen them; ties do not count."""
    num_tested: int
    """Comparisons that ``accuracy`` is of."""
    log_rationality_error: float
    """Standard error of the logarithm of ``rationality``."""
    side_bias_error: float
    """Standard error of ``side_bias``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitReport:
    """How a fit went. Accuracies count no ties and no rankings; NaN where there was nothing to count."""

    num_comparisons: int
    """Answers that it learned from, rankings included."""
    train_accuracy: float
    """Share of answers that the ensemble's mean probability gets right, answers it was trained on."""
    out_of_bag_accuracy: float
    """The same where each answer is predicted only by members that did not train on it."""
    out_of_bag_nll: float
    """Mean negative log-likelihood of comparisons under those members, in nats; ln 2 = 0.69 is a coin
    unless there are ties or strengths to predict too."""
    model_class: str
    uses_source: bool
    """Whether it starts from the reward of another run."""
    uses_design: bool
    """Whether it starts from the design."""
    design: int
    """Number of the design, used or not; 0 if there is none."""
    terms: tuple[TermReport, ...]
    """What became of the design's terms."""
    reason: str
    """Why that class, in words."""
    base: str
    """What is solved for: the class itself, or what a network adds to."""
    ridge: float
    passes: int
    """In which the weights learned how large each may be; 0: the ridge holds them all."""
    weight_decay: float
    epochs: int
    candidates: tuple[CandidateScore, ...]
    """All classes that were compared; none if the class was kept from an earlier version."""
    tie_width: float
    """Differences of returns that are called equal, in logits."""
    clear_width: float
    """Differences that are called clear, in logits."""
    annotators: tuple[AnnotatorReport, ...]
    """By the annotators' indices."""
    comparisons: AnswerViews
    """What the reward makes of each comparison."""
    seconds: float
    """Wall time of the fit."""


def fit(
    data: PreferenceData,
    reference_features: Float32,
    config: RewardConfig,
    rng: np.random.Generator,
    previous: RewardModel | None = None,
    sequences: Float32 | None = None,
    source: Source | None = None,
    designed: DesignedReward | None = None,
) -> tuple[RewardModel, FitReport]:
    """Fit a reward model to answers.

    Three steps: what annotators are like, by a linear reward; which class of reward predicts unseen answers
    best, unless an earlier choice still stands; an ensemble of that class, every member on its own
    bootstrap of the answers, or on all of them.

    Args:
        data: the answers and their segments' raw features (S, L, F).
        reference_features: raw features of the transitions whose rewards get mean 0 and standard
            deviation 1, such as a mix of recent experience and compared segments, (B, F).
        config: model and fit settings.
        rng: decides everything random; equal generators give equal models.
        previous: the version before, which gives the version number and the class until it is outgrown.
        sequences: raw features of steps with those that followed, (B, K, F), see ``sequences_of``; for
            ``encoded`` only, which is ``mlp`` as long as there are too few.
        source: a reward of another run to start from; unseen answers say how far it is departed from, and
            whether it is used at all.
        designed: a researcher's design to start from, unless unseen answers are foretold better without.

    Returns:
        The model and how the fit went.

    Raises:
        FeedbackError: there are no answers.
        ShapeError: the features do not fit together or are not finite.
    """
    started = time.perf_counter()
    if len(data) == 0:
        raise FeedbackError("a reward model needs at least one answer that orders or equates two segments.")
    check_shape("reference_features", reference_features, (None, data.features.shape[-1]))
    check_finite("PreferenceData.features", data.features)
    check_finite("reference_features", reference_features)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    normaliser = input_normaliser(data.features, reference_features)
    design, weight_prior = 0, None
    if designed is not None and designed.design.terms:
        normaliser = designed.completed(normaliser, reference_features)
        design, weight_prior = designed.number, designed.prior(normaliser)
    kept = previous.selection if previous else None
    if kept and not is_fresh(kept, config, len(data), has_source=source is not None, design=design):
        kept = None
    classes = allowed_classes(config) if kept is None else (kept.model_class,)
    encoder = None
    if "encoded" in classes:
        if sequences is None or len(sequences) < MIN_SEQUENCES:
            kept, classes = None, ("mlp",)
        else:
            encoder = train_encoder(normaliser(sequences), generator)
    prior = None
    if source is not None:
        steps = np.concatenate([data.features.reshape(-1, data.features.shape[-1]), reference_features])
        prior = make_prior(source, steps, normaliser, rng)
    problem = make_problem(
        data, normaliser(data.features), classes, encoder, prior, designed=weight_prior, design=design
    )
    answer_model = _answer_model(problem, config.noise, kept, rng)
    candidates: tuple[CandidateScore, ...] = ()
    selection = kept
    if selection is None:
        selection, candidates = select(problem, answer_model, config, rng, generator)
    if config.bootstrap:
        weights = bootstrap_weights(data, config.num_members, rng)
    else:
        weights = np.repeat(data.weight_of[None], config.num_members, axis=0)
    network, gain = fit_members(problem, answer_model, weights, selection, config, generator)
    frozen, scale_of = network.frozen(), reference_features
    if config.use_endings:  # outcomes are rare and may be large; steps are what the scale is of
        scale_of = scale_of[scale_of[:, -1] == 0]
    model = RewardModel(
        version=1 if previous is None else previous.version + 1,
        config=config,
        network=frozen,
        gain=gain,
        input_normaliser=normaliser,
        output_normaliser=output_normaliser(frozen(normaliser(scale_of))),
        answer_model=answer_model,
        selection=selection,
        shaping=None if designed is None else designed.shaping,
    )
    terms: tuple[TermReport, ...] = ()
    if designed is not None and designed.design.terms:
        inputs, ridge = problem.solved_by(selection, answer_model)
        terms = learned_terms(designed, model, reference_features, inputs, ridge, data)
    return model, _report(
        model, problem, weights, candidates, 0 if designed is None else designed.number, terms, started
    )


def fit_design(
    designed: DesignedReward,
    reference_features: Float32,
    config: RewardConfig,
    rng: np.random.Generator,
    previous: RewardModel | None = None,
) -> tuple[RewardModel, FitReport]:
    """Return the reward that a design is by itself, before any answer.

    Args:
        designed: a design with terms.
        reference_features: see ``fit``.
        config: model settings.
        rng: draws the members.
        previous: the version before, if there is one.
    """
    started = time.perf_counter()
    model = reward_of_design(designed, reference_features, config, rng)
    if previous is not None:
        model = dataclasses.replace(model, version=previous.version + 1)
    selection, nothing = model.selection, np.empty(0, np.float32)
    return model, FitReport(
        num_comparisons=0,
        train_accuracy=math.nan,
        out_of_bag_accuracy=math.nan,
        out_of_bag_nll=math.nan,
        model_class=selection.model_class,
        uses_source=False,
        uses_design=True,
        design=designed.number,
        terms=unlearned_terms(designed, model),
        reason="the design is all there is, and it is a weighted sum",
        base=selection.base,
        ridge=selection.ridge,
        passes=0,
        weight_decay=0.0,
        epochs=0,
        candidates=(),
        tie_width=model.answer_model.tie_width,
        clear_width=model.answer_model.clear_width,
        annotators=(),
        comparisons=AnswerViews(
            answer=np.empty(0, np.int64), lead=nothing, unseen=nothing, against=nothing, influence=nothing
        ),
        seconds=time.perf_counter() - started,
    )


def _answer_model(
    problem: Problem, noise: float, kept: Selection | None, rng: np.random.Generator
) -> AnswerModel:
    """Return what the annotators are like, by the solved class that foresees their answers best."""
    weights = bootstrap_weights(problem.data, _PILOTS, rng)
    if not holds_out(weights):
        return ordinary(problem.data, noise)
    ridge = _PILOT_RIDGE if kept is None else kept.ridge
    found = [
        learn_annotators(problem.solved_in(name, ridge, start), problem.data, noise, ridge, weights)
        for name, start in problem.pilots
    ]
    return max(found, key=lambda model_and_score: model_and_score[1])[0]


def _report(
    model: RewardModel,
    problem: Problem,
    weights: Float32,
    candidates: tuple[CandidateScore, ...],
    design: int,
    terms: tuple[TermReport, ...],
    started: float,
) -> FitReport:
    data, answer_model, selection = problem.data, model.answer_model, model.selection
    returns = model.member_returns(data.features)
    is_out = (weights == 0.0) & holds_out(weights)
    unseen = held_out_returns(returns.astype(np.float64), data, is_out)
    is_tested = unseen.is_known[: len(data.first)] & data.is_asked
    expected = np.where(is_tested, answer_model.prob_first(unseen.differences), 0.5)
    log_prob = comparison_terms(unseen.differences, intervals(data, answer_model)).log_prob[is_tested]
    probs = model.member_probs(returns, data.first, data.second).mean(axis=0)
    annotators = []
    errors = standard_errors(answer_model, unseen, data)
    for index, count in enumerate(np.bincount(data.annotator_of, minlength=data.num_annotators)):
        theirs = (data.annotator == index) & is_tested
        annotators.append(
            AnnotatorReport(
                num_answers=int(count),
                rationality=float(answer_model.rationality[index]),
                side_bias=float(answer_model.side_bias[index]),
                accuracy=accuracy(expected[theirs], data.prob_first[theirs]),
                num_tested=int((data.prob_first[theirs] != 0.5).sum()),
                log_rationality_error=float(errors[index, 0]),
                side_bias_error=float(errors[index, 1]),
            )
        )
    return FitReport(
        num_comparisons=len(data),
        train_accuracy=accuracy(probs[data.is_asked], data.prob_first[data.is_asked]),
        out_of_bag_accuracy=accuracy(expected[is_tested], data.prob_first[is_tested]),
        out_of_bag_nll=-float(log_prob.mean()) if len(log_prob) else math.nan,
        model_class=selection.model_class,
        uses_source=selection.uses_source,
        uses_design=selection.uses_design,
        design=design,
        terms=terms,
        reason=_reason(model, candidates),
        base=selection.base,
        ridge=selection.ridge,
        passes=selection.passes,
        weight_decay=selection.weight_decay,
        epochs=selection.epochs,
        candidates=candidates,
        tie_width=answer_model.tie_width,
        clear_width=answer_model.clear_width,
        annotators=tuple(annotators),
        comparisons=_comparisons(model, problem, returns, unseen),
        seconds=time.perf_counter() - started,
    )


def _comparisons(
    model: RewardModel, problem: Problem, returns: Float32, held_out: HeldOutReturns
) -> AnswerViews:
    """Return what the reward makes of each comparison.

    Without an answer, a network is what its members say that did not train on it, if there are such; where a
    class is solved for, leaving out one answer alone is nearer to the reward than members that lack a third.
    """
    data, answer_model, selection = problem.data, model.answer_model, model.selection
    inputs, ridge = problem.solved_by(selection, answer_model)
    found = influences(inputs, data, answer_model, ridge)
    unseen, mean = found.unseen, returns.mean(axis=0)
    if selection.model_class in NETWORK_CLASSES:
        unseen = np.where(held_out.is_known[: len(unseen)], held_out.differences, unseen)
    return AnswerViews(
        answer=np.arange(len(unseen)),
        lead=mean[data.first] - mean[data.second],
        unseen=answer_model.prob_first(unseen).astype(np.float32),
        against=disagreement(unseen, data, answer_model).astype(np.float32),
        influence=found.influence.astype(np.float32),
    )


def _reason(model: RewardModel, candidates: tuple[CandidateScore, ...]) -> str:
    """Return in words why the model has its class."""
    selection, name = model.selection, model.selection.model_class
    if model.config.model_class != "auto":
        return f"{name} is what the settings ask for"
    if not selection.num_answers:
        return f"{name} is the plainest, and there are too few answers to compare it with others"
    if not candidates:
        return f"{name} was chosen at {selection.num_answers} answers"
    best = min(candidates, key=lambda score: score.nll)
    if best.model_class == name:
        return f"{name} foresees unseen answers best"
    own = next(score for score in candidates if score.model_class == name)
    return (
        f"{name} is simpler than {best.model_class} and foresees unseen answers as well within the error "
        f"({own.excess:.3f} +- {own.excess_error:.3f} nats worse)"
    )


def accuracy(probs: Float32, prob_first: Float32) -> float:
    """Return the share of answers on whose side a prediction falls; NaN if all answers are ties.

    A prediction of 0.5 counts half.

    Args:
        probs: predicted P(first preferred), (Q,).
        prob_first: targets, (Q,); 0.5 is a tie and does not count.
    """
    decided = prob_first != 0.5
    if not decided.any():
        return math.nan
    right = np.where(probs == 0.5, 0.5, (probs > 0.5) == (prob_first > 0.5))
    return float(right[decided].mean())
