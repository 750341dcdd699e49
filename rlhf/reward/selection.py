"""Which class of reward model, and how strongly held back: chosen by how well unseen answers are predicted.

All candidates predict the same held-out answers (``folds``) under the same answer model. Within a class the
penalty with the best likelihood wins; between classes a simpler one wins unless it is worse by more than
``RewardConfig.selection_margin``, by default half, standard errors of the difference, answer by answer. Where
there is a source's reward, each class is tried with it and without.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor

from rlhf.reward.answer_model import AnswerModel, answer_terms
from rlhf.reward.bradley_terry import evidence
from rlhf.reward.chosen import FALLBACK_RIDGES, Selection, Start, unchosen
from rlhf.reward.config import MODEL_CLASSES, NETWORK_CLASSES, ModelClass, RewardConfig, SolvedClass
from rlhf.reward.encoder import Encoder
from rlhf.reward.folds import Folds, make_folds
from rlhf.reward.linear import RIDGES, Directions, WeightPrior, directions, fit_linear
from rlhf.reward.networks import EnsembleNetwork, mean_inputs, product_columns
from rlhf.reward.prior import SOURCE_RIDGES, Prior, SourceInput, source_input, with_source
from rlhf.reward.relevance import relevance_path, relevant_directions, solve
from rlhf.reward.training import HeldOut, TrainingSet, train
from rlhf.tuning import Score, TransferTuner, preferred, scores_of
from rlhf.types.experience import Bool, Float32, Float64, Int64
from rlhf.types.feedback import PreferenceData

MIN_ANSWERS = 10
"""With fewer tested answers nothing is chosen: the plainest model is used."""
_FOLDS = 5
_TESTS_WANTED = 200
"""Few answers are split in several ways, up to about so many tests."""
_MAX_REPEATS = 4
_NETWORK_SHARE = 0.3
"""Standard deviation of the returns that an untrained network adds to its linear term, in logits."""
_SOURCE_MARGIN = 1.0
"""The source is used if it is better by more than so many standard errors of the difference. With 0.5 one of
random weights was used in five draws of five (60 answers, the goal of ``test_prior``), with 1 in three."""
_RIDGE_MARGIN = 1.0
"""A ridge for all weights is used if it is better than weights that learn their own by more than so many
standard errors of the difference: most goals are about a few things, and few answers hardly tell."""
_ANSWERS_PER_PASS = 10
"""Few answers may not rule out much: after two dozen about random behaviour a Hopper was to move forward and
nothing else, lay down, and could not be told to get up."""
_DESIGN_MARGIN = 1.0
"""The same for what is to take the place of a design: somebody meant it."""
_SCALE_SEGMENTS = 64
"""Segments that this is measured on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CandidateScore:
    """How a class did, with its best penalty."""

    model_class: ModelClass
    nll: float
    """Mean negative log-likelihood of held-out answers, in nats."""
    standard_error: float
    """Of ``nll``."""
    excess: float
    """How much worse than the best candidate, in nats."""
    excess_error: float
    """Standard error of ``excess``, from the differences answer by answer."""
    ridge: float
    passes: int
    base: str
    weight_decay: float
    epochs: int
    uses_source: bool = False
    """Whether it starts from a source's reward."""
    uses_design: bool = False
    """Whether it starts from a design."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """What all candidates are fitted to."""

    classes: tuple[ModelClass, ...]
    """The candidates, from the simplest."""
    data: PreferenceData
    inputs: Tensor
    """Normalised features, float32 (S, L, F)."""
    columns: Int64
    """Features whose products ``quadratic`` uses."""
    means: dict[SolvedClass, Float64]
    """Mean inputs of the segments, (S, P) each, that ``linear`` and ``quadratic`` see."""
    directions: dict[SolvedClass, Directions]
    """What they are solved in."""
    sources: dict[SolvedClass, SourceInput]
    """What a source's reward adds to each; none if there is no source."""
    encoder: Encoder | None = None
    """What the network of ``encoded`` sees by."""

    designed: WeightPrior | None = None
    """What a design says of the weights of the features."""
    design: int = 0
    """Its number; 0 if there is none."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """What there is to start from, in order of preference: a design is what somebody wants."""
        own: tuple[Start, ...] = ("nothing",) if self.designed is None else ("design", "named")
        return (*own, "source") if self.sources else own

    def solved_in(self, name: SolvedClass, ridge: float, start: Start) -> Directions:
        """Return what a class is solved in from a start."""
        if self.designed is not None and start in ("design", "named"):
            prior = self.designed if start == "design" else self.designed.names_only
            return directions(self.means[name], self.data, prior, ridge)
        own = self.directions[name]
        return with_source(own, self.sources[name], ridge) if start == "source" else own

    def solved_by(self, selection: Selection, model: AnswerModel) -> tuple[Directions, float]:
        """Return what the selected class is solved in, and with which ridge."""
        name, ridge = selection.base, selection.ridge
        inputs = self.solved_in(name, ridge, selection.start)
        if not selection.passes:
            return inputs, ridge
        return relevant_directions(self.means[name], inputs, self.data, model, ridge, selection.passes), 1.0

    @property
    def pilots(self) -> list[tuple[SolvedClass, Start]]:
        """What can be solved for, each from every start."""
        return [(name, start) for start in self.starts for name in self.directions]


def make_problem(
    data: PreferenceData,
    normalised: Float32,
    classes: tuple[ModelClass, ...],
    encoder: Encoder | None = None,
    prior: Prior | None = None,
    designed: WeightPrior | None = None,
    design: int = 0,
) -> Problem:
    """Return the problem of fitting the given classes; those that are not needed are not prepared."""
    inputs = torch.from_numpy(normalised)
    columns = product_columns(normalised)
    used: dict[SolvedClass, Int64] = {"linear": columns[:0]}
    if classes != ("linear",):
        used["quadratic"] = columns
    means = {name: mean_inputs(inputs, kept) for name, kept in used.items()}
    sources = {}
    if prior is not None:
        sources = {name: source_input(means[name], prior.weights(kept), data) for name, kept in used.items()}
    return Problem(
        classes=classes,
        data=data,
        inputs=inputs,
        columns=columns,
        means=means,
        directions={name: directions(of_class, data) for name, of_class in means.items()},
        sources=sources,
        encoder=encoder,
        designed=designed,
        design=design,
    )


def allowed_classes(config: RewardConfig) -> tuple[ModelClass, ...]:
    """Return the classes that a configuration leaves to choose from."""
    return MODEL_CLASSES if config.model_class == "auto" else (config.model_class,)


def is_fresh(
    selection: Selection, config: RewardConfig, num_answers: int, *, has_source: bool, design: int = 0
) -> bool:
    """Return whether a selection may stand: of an allowed class, and not outgrown by the answers.

    One that uses a source needs that source, and no other design may have come.
    """
    outgrown = num_answers >= selection.num_answers * (1.0 + config.reselect_growth)
    is_possible = (has_source or not selection.uses_source) and selection.design == design
    return selection.model_class in allowed_classes(config) and is_possible and not outgrown


def select(
    problem: Problem,
    model: AnswerModel,
    config: RewardConfig,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[Selection, tuple[CandidateScore, ...]]:
    """Return the chosen class with its penalty, and how every class did.

    Args:
        problem: what is fitted, and which classes are tried.
        model: how the answers were given.
        config: descent of the networks, and how much better a less simple class has to be.
        rng: draws the folds.
        generator: draws what the networks need.
    """
    classes = problem.classes
    repeats = int(np.clip(round(_TESTS_WANTED / len(problem.data)), 1, _MAX_REPEATS))
    folds = make_folds(problem.data, _FOLDS, repeats, rng)
    is_tested = folds.is_tested.any(axis=0)
    if is_tested.sum() < MIN_ANSWERS:
        start = "design" if problem.designed is not None else problem.starts[-1]
        return unchosen(classes[0], start=start, design=problem.design), ()
    passes = min(config.relevance_passes, len(problem.data) // _ANSWERS_PER_PASS)
    solved = {name: _solved_class(problem, model, folds, name, passes) for name in problem.directions}
    base = min(solved, key=lambda name: float(solved[name].losses.sum()))
    losses: dict[ModelClass, Float64] = {}
    chosen: dict[ModelClass, Selection] = {}
    for name in classes:
        decay, epochs = 0.0, 0
        solved_class: SolvedClass = name if name == "linear" or name == "quadratic" else base
        found = solved[solved_class]
        loss = found.losses
        if name in NETWORK_CLASSES:
            start_from = Selection(
                model_class=name,
                base=base,
                ridge=found.ridge,
                passes=found.passes,
                design=problem.design,
                **_as_selected(found.start),
            )
            decay, epochs, loss = _network_class(problem, model, folds, start_from, config, generator)
        losses[name] = loss[is_tested]
        chosen[name] = Selection(
            model_class=name,
            ridge=found.ridge,
            passes=found.passes,
            base=solved_class,
            weight_decay=decay,
            epochs=epochs,
            num_answers=len(problem.data),
            design=problem.design,
            **_as_selected(found.start),
        )
    scores = scores_of(np.stack([losses[name] for name in classes]))
    best = preferred(scores, config.selection_margin)
    candidates = (_candidate(chosen[name], score) for name, score in zip(classes, scores, strict=True))
    return chosen[classes[best]], tuple(candidates)


def fit_members(
    problem: Problem,
    model: AnswerModel,
    weights: Float32,
    selection: Selection,
    config: RewardConfig,
    generator: torch.Generator,
) -> tuple[EnsembleNetwork, Float32]:
    """Return networks of the selected class, one for each weighting of the answers, and their gain (N,).

    Args:
        problem: what is fitted.
        model: how the answers were given.
        weights: how often each answer counts, (N, A).
        selection: class and penalties.
        config: shape and descent of a network.
        generator: draws what the networks need.
    """
    network, training_set = start_networks(problem, model, weights, selection, config, generator)
    if selection.model_class in NETWORK_CLASSES:
        decay = torch.full((len(weights),), selection.weight_decay)
        train(network, training_set, config, generator, weight_decay=decay, epochs=selection.epochs)
    return network, training_set.gain.numpy()


def start_networks(
    problem: Problem,
    model: AnswerModel,
    weights: Float32,
    selection: Selection,
    config: RewardConfig,
    generator: torch.Generator,
) -> tuple[EnsembleNetwork, TrainingSet]:
    """Return networks whose linear terms are solved for, one for each weighting of the answers (N, A).

    The linear term takes what there is of it exactly and at once; what a network is to add starts small.
    """
    adds_network = selection.model_class in NETWORK_CLASSES
    means, ridge = problem.means[selection.base], selection.ridge
    inputs = problem.solved_in(selection.base, ridge, selection.start)
    solved = solve(means, inputs, problem.data, model, weights, ridge=ridge, passes=selection.passes)
    if adds_network and not config.solved_start:
        solved = np.zeros_like(solved)
    network = EnsembleNetwork(
        len(weights),
        problem.inputs.shape[-1],
        columns=problem.columns if selection.base == "quadratic" else problem.columns[:0],
        hidden=config.hidden if adds_network else (),
        generator=generator,
        encoder=problem.encoder if selection.model_class == "encoded" else None,
    )
    with torch.no_grad():
        seen = network.encoded(problem.inputs)
        network.skip.copy_(torch.from_numpy(solved)[..., None])
        if adds_network:
            some = seen[:_SCALE_SEGMENTS]
            added = network.added(some.flatten(0, 1).expand(len(weights), -1, -1))
            returns = inputs.gain * added.view(len(weights), *some.shape[:2]).mean(dim=-1)
            sd = returns.std(dim=1, correction=0).clamp_min(1e-6)
            network.weights[-1].mul_(_NETWORK_SHARE / sd[:, None, None])
    training_set = TrainingSet(
        inputs=seen,
        said=evidence(problem.data, model),
        weights=torch.from_numpy(weights),
        gain=torch.full((len(weights),), inputs.gain),
        linear_returns=torch.from_numpy((solved @ (inputs.gain * means).T).astype(np.float32)),
    )
    return network, training_set


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Solved:
    """How a class that is solved for does at best."""

    ridge: float
    passes: int
    start: Start
    losses: Float64
    """(A,), held out."""
    least: Float64
    """(A,), those of whichever did best from the same start, with a ridge or with passes."""


def _solved_class(
    problem: Problem, model: AnswerModel, folds: Folds, name: SolvedClass, passes: int
) -> _Solved:
    """Return the best number of passes of a class that is solved for, or ridge, and what to start from.

    To the tuner ridges are so many passes of one setting: all are had, and the best one is taken.
    """

    def held_out(returns: Float64) -> Float64:
        log_prob = answer_terms(returns, problem.data, model).log_prob
        return _mean_losses(log_prob, folds.is_tested[:, None], problem.data.weight_of)

    def losses(inputs: Directions, ridges: tuple[float, ...]) -> Float64:
        solved = fit_linear(
            inputs.values, problem.data, model, folds.trains, np.array(ridges), offset=inputs.started
        )
        return held_out(inputs.returns(solved))

    def of_ridges(start: Start, ridges: tuple[float, ...]) -> Float64:
        if start == "nothing":
            return losses(problem.directions[name], ridges)
        return np.concatenate([losses(problem.solved_in(name, r, start), (r,)) for r in ridges])

    def of_passes(start: Start) -> Float64:
        ridge, means = FALLBACK_RIDGES[start], problem.means[name]
        inputs = problem.solved_in(name, ridge, start)
        path, _ = relevance_path(means, inputs, problem.data, model, folds.trains, ridge, passes)
        return held_out(inputs.gain * path.transpose(1, 0, 2) @ means.T)

    def best(start: Start) -> _Solved:
        ridges = RIDGES if start == "nothing" else SOURCE_RIDGES
        tried = [of_ridges(start, ridges)]
        if passes and start != "source":
            tried.insert(0, of_passes(start))
        tuned = TransferTuner(choices=tuple(range(len(tried))), margin=_RIDGE_MARGIN).by_held_out(tried)
        made = tuned.epochs + 1 if tuned.index < len(tried) - 1 else 0
        ridge = FALLBACK_RIDGES[start] if made else ridges[tuned.epochs]
        return _Solved(
            ridge=ridge,
            passes=made,
            start=start,
            losses=tuned.losses[tuned.index],
            least=tuned.losses[tuned.losses.mean(axis=1).argmin()],
        )

    found = [best(start) for start in problem.starts]
    margin = _SOURCE_MARGIN if problem.designed is None else _DESIGN_MARGIN
    return found[preferred(scores_of(np.stack([one.least for one in found])), margin)]


def _as_selected(start: Start) -> dict[str, bool]:
    return {"uses_source": start == "source", "uses_design": start == "design"}


def _network_class(
    problem: Problem,
    model: AnswerModel,
    folds: Folds,
    start_from: Selection,
    config: RewardConfig,
    generator: torch.Generator,
) -> tuple[float, int, Float64]:
    """Return the best weight decay and number of epochs, and the held-out losses (A,) with them.

    All folds stop together: a stop of their own would be chosen by the very answers it is judged by.
    """
    decays = config.weight_decays
    weights = np.repeat(folds.trains, len(decays), axis=0)
    is_tested = np.repeat(folds.is_tested, len(decays), axis=0)
    network, training_set = start_networks(problem, model, weights, start_from, config, generator)
    held_out = HeldOut(training_set, torch.from_numpy(is_tested), generator)
    curves: list[Float64] = []  # per epoch (decays, A)

    def goes_on(epoch: int) -> bool:
        log_prob = held_out.log_prob(network).double().numpy().reshape(len(folds.trains), len(decays), -1)
        curves.append(_mean_losses(log_prob, folds.is_tested[:, None], problem.data.weight_of))
        means = [curve.sum(axis=-1).min() for curve in curves]
        return epoch - int(np.argmin(means)) < config.patience

    decay = torch.tensor(decays, dtype=torch.float32).repeat(len(folds.trains))
    train(
        network,
        training_set,
        config,
        generator,
        weight_decay=decay,
        epochs=config.max_epochs,
        goes_on=goes_on,
    )
    losses = np.stack(curves)
    epoch, best = np.unravel_index(losses.sum(axis=-1).argmin(), losses.shape[:2])
    return decays[best], int(epoch), losses[epoch, best]


def _mean_losses(log_prob: Float64, is_tested: Bool, weight: Float32) -> Float64:
    """Return each answer's mean loss (..., A) over those of N folds that test it; 0 if none does.

    Args:
        log_prob: (N, ..., A).
        is_tested: broadcasts to the same.
        weight: what each answer counts, (A,); losses are in proportion, and are on average what they were.
    """
    counts = is_tested.sum(axis=0)
    share = weight / max(float(weight[counts.reshape(-1) > 0].mean()), 1e-12)
    return np.asarray(-(log_prob * is_tested).sum(axis=0) / np.maximum(counts, 1) * share)


def _candidate(selection: Selection, score: Score) -> CandidateScore:
    return CandidateScore(
        model_class=selection.model_class,
        nll=score.loss,
        standard_error=score.standard_error,
        excess=score.excess,
        excess_error=score.excess_error,
        ridge=selection.ridge,
        passes=selection.passes,
        base=selection.base,
        weight_decay=selection.weight_decay,
        epochs=selection.epochs,
        uses_source=selection.uses_source,
        uses_design=selection.uses_design,
    )
