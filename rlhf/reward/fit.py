"""Comparisons -> the next version of the reward model."""

import dataclasses
import time

import numpy as np
import torch

from rlhf.checks import check_finite, check_shape
from rlhf.errors import FeedbackError
from rlhf.reward.bradley_terry import negative_log_likelihood
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel, member_outputs
from rlhf.reward.networks import EnsembleNetwork, expand
from rlhf.reward.normalise import InputNormaliser, input_normaliser, output_normaliser
from rlhf.reward.training import TrainingSet, bootstrap_weights, segment_returns, train
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitReport:
    """How a fit went."""

    num_comparisons: int
    train_accuracy: float
    out_of_bag_accuracy: float
    out_of_bag_nll: float
    epochs: tuple[int, ...]
    seconds: float


def fit(data, reference_features, config, rng, previous=None):
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    normaliser = input_normaliser(data.features, reference_features)
    network = EnsembleNetwork(config, data.features.shape[-1], generator)
    inputs = expand(config.model_class, torch.from_numpy(normaliser(data.features)))
    if config.model_class != "mlp":
        inputs = inputs.mean(dim=1, keepdim=True)
    ones = torch.ones(config.num_members)
    with torch.inference_mode():
        untrained = segment_returns(network, inputs, ones)
    gain = (1.0 / untrained.std(dim=1).clamp_min(1e-6)).clone()
    if config.model_class != "mlp":
        with torch.no_grad():
            network.skip.zero_()
    weights = bootstrap_weights(data, config.num_members, rng)
    ts = TrainingSet(
        inputs=inputs,
        first=torch.from_numpy(data.first),
        second=torch.from_numpy(data.second),
        prob_first=torch.from_numpy(data.prob_first),
        weights=torch.from_numpy(weights),
        gain=gain,
    )
    epochs = train(network, ts, config, generator)
    network.requires_grad_(False)
    with torch.inference_mode():
        returns = segment_returns(network, inputs, gain).numpy()
    d = returns[:, data.first] - returns[:, data.second]
    nt = data.prob_first != 0.5
    hit = (d > 0) == (data.prob_first > 0.5)
    oob = (weights == 0) & nt
    p = (1 - config.noise) / (1 + np.exp(-d)) + config.noise / 2
    any_ = oob.any(0)
    pm = (p * oob).sum(0) / np.maximum(1, oob.sum(0))
    acc = ((pm > 0.5) == (data.prob_first > 0.5))[any_].mean() if any_.any() else float("nan")
    y = data.prob_first
    nll = (
        -(
            y * np.log(pm[any_].clip(1e-6, 1))
            if False
            else (y[any_] * np.log(pm[any_]) + (1 - y[any_]) * np.log(1 - pm[any_]))
        ).mean()
        if any_.any()
        else float("nan")
    )
    model = RewardModel(
        version=1 if previous is None else previous.version + 1,
        config=config,
        network=network,
        gain=gain.numpy(),
        input_normaliser=normaliser,
        output_normaliser=output_normaliser(member_outputs(network, normaliser(reference_features))),
    )
    return model, FitReport(
        num_comparisons=len(data),
        train_accuracy=float((((p.mean(0) > 0.5) == (y > 0.5))[nt]).mean()),
        out_of_bag_accuracy=float(acc),
        out_of_bag_nll=float(nll),
        epochs=tuple(int(e) for e in epochs),
        seconds=time.perf_counter() - started,
    )
