"""A researcher's design as a prior of what the linear part of a reward is, and as the reward itself.

The weight w_i of a designed feature, normalised, is taken to be  N(u m_i, (u d_i)^2)  before any answer, with
the design's weights m and doubts d. The unit u, in logits, is such that the design is fairly sure of two
typical segments of present behaviour. Weights of other features have the ridge's prior, which is around 0.
"""

import dataclasses

import numpy as np

from rlhf.checks import check_shape
from rlhf.reward.answer_model import AnswerModel
from rlhf.reward.chosen import unchosen
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.frozen import FrozenNetwork
from rlhf.reward.linear import Directions, WeightPrior, fit_linear, weight_errors
from rlhf.reward.normalise import InputNormaliser, input_normaliser, output_normaliser
from rlhf.reward.shaping import Shaping
from rlhf.types.design import Design
from rlhf.types.experience import Float32, Float64, Int64
from rlhf.types.feedback import PreferenceData

_TYPICAL_LEAD = 2.0
"""Logits by which the design says that one of two typical segments is better: 7 times in 8."""
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class DesignedReward:
    """A design among the features of a run."""

    number: int
    """Of the design in the store, above 0: a later design has a larger one."""
    design: Design
    columns: Int64
    """(T,), the feature of each term."""
    shaping: Shaping | None = None
    """Its potential."""
    segments: Float32
    """(K, L, F), raw features of present behaviour, which say what typical is."""

    def __post_init__(self) -> None:
        """Check the shapes."""
        check_shape("DesignedReward.columns", self.columns, (len(self.design.terms),))
        check_shape("DesignedReward.segments", self.segments, (None, None, None))

    @property
    def weights(self) -> Float64:
        """(F,), the design's weights of all features."""
        weights = np.zeros(self.segments.shape[-1])
        weights[self.columns] = [term.weight for term in self.design.terms]
        return weights

    def prior(self, normaliser: InputNormaliser) -> WeightPrior:
        """Return what it says of the weights of normalised features."""
        weights = self.weights
        said = normaliser(self.segments).mean(axis=1) @ weights
        unit = _TYPICAL_LEAD / max(float(np.sqrt(2.0) * said.std()), _SMALLEST)
        sd = np.full(len(weights), np.inf)
        sd[self.columns] = [unit * self.design.largest * term.doubt for term in self.design.terms]
        return WeightPrior(mean=unit * weights, sd=sd, largest=unit * self.design.largest)

    def completed(self, normaliser: InputNormaliser, reference_features: Float32) -> InputNormaliser:
        """Return the normaliser with designed features that did not vary in compared segments, but do here.

        Answers said nothing of them, but the design does.
        """
        present = input_normaliser(self.segments, reference_features)
        sd = np.full_like(present.sd, np.inf)
        sd[self.columns] = present.sd[self.columns]
        return normaliser.completed_by(dataclasses.replace(present, sd=sd))


def reward_of_design(
    designed: DesignedReward, reference_features: Float32, config: RewardConfig, rng: np.random.Generator
) -> RewardModel:
    """Return the reward that a design is as long as there are no answers, version 1.

    The members' mean is the design. Their spread is its doubt, so that the first questions are about that.

    Args:
        designed: a design with terms.
        reference_features: raw features of transitions whose rewards get mean 0 and standard deviation 1,
            (B, F).
        config: of the reward model.
        rng: draws the members.
    """
    normaliser = input_normaliser(designed.segments, reference_features)
    prior = designed.prior(normaliser)
    drawn = rng.normal(size=(config.num_members, len(prior.mean)))
    drawn -= drawn.mean(axis=0)
    weights = prior.mean + drawn * np.where(np.isfinite(prior.sd), prior.sd, 0.0)
    network = FrozenNetwork(columns=np.empty(0, np.int64), skip=weights.astype(np.float32)[..., None])
    return RewardModel(
        version=1,
        config=config,
        network=network,
        gain=np.ones(config.num_members, np.float32),
        input_normaliser=normaliser,
        output_normaliser=output_normaliser(network(normaliser(reference_features))),
        answer_model=AnswerModel(noise=config.noise, rationality=np.empty(0), side_bias=np.empty(0)),
        selection=unchosen("linear", start="design", design=designed.number),
        shaping=designed.shaping,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TermReport:
    """What became of one term of a design.

    Weights are in the design's units: a reward that is the design, at
    whatever scale, has its weights.
    """

    feature: str
    weight: float
    """As it was designed."""
    sd: float
    """Its doubt as a standard deviation."""
    learned: float
    """In the reward."""
    learned_sd: float
    """Standard deviation of what is known of it after the answers; inputs that are not designed, and what a
    network adds, are not in it."""
    feature_sd: float
    """One standard deviation of the feature in its own unit; infinite if it never varied."""


def unlearned_terms(designed: DesignedReward, model: RewardModel) -> tuple[TermReport, ...]:
    """Return the terms of a design as they are before any answer."""
    return tuple(
        TermReport(
            feature=term.feature,
            weight=term.weight,
            sd=(sd := designed.design.largest * term.doubt),
            learned=term.weight,
            learned_sd=sd,
            feature_sd=float(model.input_normaliser.sd[column]),
        )
        for term, column in zip(designed.design.terms, designed.columns, strict=True)
    )


def learned_terms(
    designed: DesignedReward,
    model: RewardModel,
    reference_features: Float32,
    inputs: Directions,
    ridge: float,
    data: PreferenceData,
) -> tuple[TermReport, ...]:
    """Return what answers made of the terms of a design.

    Args:
        designed: a design with terms.
        model: that was fitted.
        reference_features: of the fit.
        inputs: what its linear part was solved in.
        ridge: that this was solved with.
        data: the answers.
    """
    weights = data.weight_of[None]
    solved = fit_linear(
        inputs.values, data, model.answer_model, weights, np.array([ridge]), offset=inputs.started
    )[0, 0]
    errors = weight_errors(inputs, data, model.answer_model, ridge, solved) / inputs.gain
    # Scales do not matter to a policy, so both rewards are held beside each other at the same one.
    own = (model.input_normaliser(reference_features) @ designed.weights).std()
    unit = own / model.output_normaliser.sd.astype(np.float64)
    learned = (unit[:, None] * model.network.linear).mean(axis=0)
    return tuple(
        dataclasses.replace(
            term, learned=float(learned[column]), learned_sd=float(unit.mean() * errors[column])
        )
        for term, column in zip(unlearned_terms(designed, model), designed.columns, strict=True)
    )
