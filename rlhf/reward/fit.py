"""Comparisons -> the next version of the reward model, and how well it was learned."""

import dataclasses
import math
import time

import numpy as np
import torch

from rlhf.checks import check_finite, check_shape
from rlhf.errors import FeedbackError
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel, member_outputs
from rlhf.reward.linear import fit_linear
from rlhf.reward.networks import EnsembleNetwork, expand
from rlhf.reward.normalise import input_normaliser, output_normaliser
from rlhf.reward.training import TrainingSet, bootstrap_weights, holds_out, train
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData

__all__ = ["FitReport", "RewardConfig", "accuracy", "fit"]

_SMALLEST_SD = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitReport:
    """How a fit went. Accuracies count no ties; NaN where there was nothing to count."""

    num_comparisons: int
    """Q."""
    train_accuracy: float
    """Share of answers that the ensemble's mean probability gets right, answers it was trained on."""
    out_of_bag_accuracy: float
    """The same where each answer is predicted only by members that did not train on it. Slightly kind,
    because those answers chose when to stop; the audit accuracy is the unbiased one."""
    out_of_bag_nll: float
    """Mean negative log-likelihood of answers under those members, in nats; ln 2 = 0.69 is a coin."""
    epochs: tuple[int, ...]
    """Epochs behind each member's weights; for the linear classes the number of scoring steps."""
    seconds: float
    """Wall time of the fit."""


def fit(
    data: PreferenceData,
    reference_features: Float32,
    config: RewardConfig,
    rng: np.random.Generator,
    previous: RewardModel | None = None,
) -> tuple[RewardModel, FitReport]:
    """Fit a reward model to comparisons.

    Args:
        data: the comparisons and their segments' raw features (S, L, F).
        reference_features: raw features of the transitions whose rewards get mean 0 and standard
            deviation 1, such as a mix of recent experience and compared segments, (B, F).
        config: model and fit settings.
        rng: decides everything random; equal generators give equal models.
        previous: the version before, which gives the version number and, with ``warm_start``, a share of
            the initial weights.

    Returns:
        The model and how the fit went.

    Raises:
        FeedbackError: there are no comparisons.
        ShapeError: the features do not fit together or are not finite.
    """
    started = time.perf_counter()
    if len(data) == 0:
        raise FeedbackError("a reward model needs at least one answer that orders or equates two segments.")
    check_shape("reference_features", reference_features, (None, data.features.shape[-1]))
    check_finite("PreferenceData.features", data.features)
    check_finite("reference_features", reference_features)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    weights = bootstrap_weights(data, config.num_members, rng)
    network = EnsembleNetwork(config, data.features.shape[-1], generator)
    normaliser = input_normaliser(data.features, reference_features)
    start: RewardModel | None = None
    if previous is not None and _can_continue(previous, network, config):
        start = previous
        normaliser = previous.input_normaliser.completed_by(normaliser)  # its weights hold in its units only
    inputs = torch.from_numpy(normaliser(data.features))
    if config.model_class == "mlp":
        gain, epochs = _fit_mlp(network, inputs, data, weights, config, generator, start)
    else:
        gain, epochs = _fit_linear(network, inputs, data, weights, config)
    network.requires_grad_(False)
    outputs = member_outputs(network, normaliser(reference_features))
    model = RewardModel(
        version=1 if previous is None else previous.version + 1,
        config=config,
        network=network,
        gain=gain,
        input_normaliser=normaliser,
        output_normaliser=output_normaliser(outputs),
    )
    return model, _report(model, data, weights, epochs, time.perf_counter() - started)


def _fit_mlp(
    network: EnsembleNetwork,
    inputs: torch.Tensor,
    data: PreferenceData,
    weights: Float32,
    config: RewardConfig,
    generator: torch.Generator,
    start: RewardModel | None,
) -> tuple[Float32, tuple[int, ...]]:
    """Train the network in place; return the gain (M,) and the members' epochs."""
    if start is None:
        gain = _unit_gain(network, inputs)
    else:
        gain = start.gain
        with torch.no_grad():
            for fresh, kept in zip(network.parameters(), start.network.parameters(), strict=True):
                fresh.lerp_(kept, config.warm_start)
    training_set = TrainingSet(
        inputs=inputs,
        first=torch.from_numpy(data.first),
        second=torch.from_numpy(data.second),
        prob_first=torch.from_numpy(data.prob_first),
        weights=torch.from_numpy(weights),
        gain=torch.from_numpy(gain),
    )
    return gain, tuple(train(network, training_set, config, generator).tolist())


def _unit_gain(network: EnsembleNetwork, inputs: torch.Tensor) -> Float32:
    """Return the gain (M,) that gives untrained segment returns a standard deviation of 1.

    Prior beliefs about answers (noise, decay, the size of a step) then mean the same for any task and
    any segment length.
    """
    segments, steps, width = inputs.shape
    outputs = member_outputs(network, inputs.view(-1, width).numpy())
    sd = outputs.reshape(-1, segments, steps).mean(axis=-1).std(axis=-1)
    return np.asarray(1.0 / np.maximum(sd, _SMALLEST_SD), dtype=np.float32)


def _fit_linear(
    network: EnsembleNetwork,
    inputs: torch.Tensor,
    data: PreferenceData,
    weights: Float32,
    config: RewardConfig,
) -> tuple[Float32, tuple[int, ...]]:
    """Solve for the network's linear term in place; return the gain (M,) and the scoring steps."""
    means = torch.cat([expand(config.model_class, block).mean(dim=1) for block in torch.split(inputs, 64)])
    differences = (
        (means[torch.from_numpy(data.first)] - means[torch.from_numpy(data.second)]).double().numpy()
    )
    gain = 1.0 / max(float(np.sqrt((differences**2).mean())), _SMALLEST_SD)
    solution = fit_linear(
        gain * differences, data.prob_first, weights, noise=config.noise, holds_out=holds_out(weights)
    )
    with torch.no_grad():
        network.skip.copy_(torch.from_numpy(solution.coefficients)[..., None])
    members = len(weights)
    return np.full(members, gain, dtype=np.float32), (solution.iterations,) * members


def _can_continue(previous: RewardModel, network: EnsembleNetwork, config: RewardConfig) -> bool:
    """Return whether the previous weights are wanted and fit the network."""
    if config.model_class != "mlp" or config.warm_start == 0.0:
        return False
    shapes = [parameter.shape for parameter in network.parameters()]
    return shapes == [parameter.shape for parameter in previous.network.parameters()]


def _report(
    model: RewardModel, data: PreferenceData, weights: Float32, epochs: tuple[int, ...], seconds: float
) -> FitReport:
    probs = model.member_probs(model.member_returns(data.features), data.first, data.second)
    is_out = (weights == 0.0) if holds_out(weights) else np.zeros(weights.shape, dtype=np.bool_)
    is_tested = is_out.any(axis=0)
    tested = (probs * is_out).sum(axis=0)[is_tested] / is_out.sum(axis=0)[is_tested]
    target = data.prob_first[is_tested]
    losses = -(target * np.log(tested) + (1.0 - target) * np.log1p(-tested))
    return FitReport(
        num_comparisons=len(data),
        train_accuracy=accuracy(probs.mean(axis=0), data.prob_first),
        out_of_bag_accuracy=accuracy(tested, target),
        out_of_bag_nll=float(losses.mean()) if len(losses) else math.nan,
        epochs=epochs,
        seconds=seconds,
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
