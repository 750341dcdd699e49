"""Gradient descent on comparisons: bootstrap weights, minibatches, early stopping member by member.

Knows normalised inputs and the network; nothing of features, versions or scales for the policy.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor

from rlhf.reward.bradley_terry import negative_log_likelihood
from rlhf.reward.config import RewardConfig
from rlhf.reward.networks import EnsembleNetwork
from rlhf.types.experience import Float32, Int64
from rlhf.types.feedback import PreferenceData

MIN_OUT_OF_BAG = 10
"""With fewer answers none can be held out; see ``bootstrap_weights``."""


def bootstrap_weights(data: PreferenceData, num_members: int, rng: np.random.Generator) -> Float32:
    """Return how often each member counts each comparison, float32 (M, Q); zero means out of bag.

    Weights are Poisson(1) per pair of segments: repeated answers about one pair are in or out together,
    so that no member is tested on a pair that it has seen. Every member keeps at least one pair. With
    fewer than ``MIN_OUT_OF_BAG`` answers each member sees all of them once or twice, because losing a
    third of so few costs more than the bootstrap gives.
    """
    pairs = np.sort(np.stack([data.first, data.second]), axis=0)
    _, group = np.unique(pairs, axis=1, return_inverse=True)
    group = group.reshape(-1)
    num_groups = int(group.max()) + 1
    if len(data) < MIN_OUT_OF_BAG:
        per_group = rng.integers(1, 3, (num_members, num_groups))
    else:
        per_group = rng.poisson(1.0, (num_members, num_groups))
        empty = np.flatnonzero(per_group.sum(axis=1) == 0)
        per_group[empty, rng.integers(0, num_groups, len(empty))] = 1
    return np.asarray(per_group[:, group], dtype=np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What training needs, as tensors."""

    inputs: Tensor
    """Expanded, normalised inputs, (S, L, P)."""
    first: Tensor
    """(Q,), int64."""
    second: Tensor
    """(Q,), int64."""
    prob_first: Tensor
    """(Q,)."""
    weights: Tensor
    """(M, Q)."""
    gain: Tensor
    """(M,)."""


def segment_returns(network: EnsembleNetwork, inputs: Tensor, gain: Tensor) -> Tensor:
    """Return returns in logits, (M, S): ``gain`` times the mean output over the steps of (S, L, P)."""
    segments, steps, width = inputs.shape
    rows = inputs.reshape(1, segments * steps, width).expand(len(gain), -1, -1)
    return gain[:, None] * network(rows).view(len(gain), segments, steps).mean(-1)


EVALSTEPS = 16
PEN = 0.0


def train(network, data, config, generator):
    out = (data.weights == 0).float()
    holds_out = bool((out.sum(1) > 0).all()) and data.weights.shape[1] >= MIN_OUT_OF_BAG
    no_decay = [*network.biases]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    members = len(data.gain)
    best_loss = torch.full((members,), torch.inf)
    best_epoch = torch.zeros(members, dtype=torch.int64)
    best = [parameter.detach().clone() for parameter in network.parameters()]
    if holds_out:
        order = _members_first(out, generator)
        ow = out.gather(1, order)
        osegs = torch.cat([data.first[order], data.second[order]], 1)
        oin = _gather(
            data.inputs,
            osegs,
            _steps(osegs.shape, 0, data.inputs.shape[1], EVALSTEPS or data.inputs.shape[1], generator),
        )
        n = order.shape[1]
    for epoch in range(config.max_epochs if holds_out else config.early_epochs):
        if holds_out:
            with torch.inference_mode():
                ret = _returns(network, oin, data.gain)
                loss = negative_log_likelihood(
                    ret[:, :n], ret[:, n:], data.prob_first[order], ow, config.noise
                )
            better = (loss < best_loss) & (epoch - best_epoch <= config.patience)
            best_loss = torch.where(better, loss, best_loss)
            best_epoch[better] = epoch
            with torch.no_grad():
                for kept, parameter in zip(best, network.parameters(), strict=True):
                    kept[better] = parameter[better]
            if bool((epoch - best_epoch > config.patience).all()):
                break
        _train_epoch(network, optimizer, data, config, generator)
    if holds_out:
        with torch.no_grad():
            for kept, parameter in zip(best, network.parameters(), strict=True):
                parameter.copy_(kept)
    else:
        best_epoch[:] = config.early_epochs
    return best_epoch.numpy()


def _members_first(mask, generator):
    columns = int((mask > 0).sum(1).max())
    key = (mask > 0).float() + 0.5 * torch.rand(mask.shape, generator=generator)
    return key.topk(columns, dim=1).indices


def _steps(shape, start, stretch, steps, generator):
    steps = min(steps, stretch)
    within = torch.arange(steps)
    if steps == stretch:
        return start + within.expand(*shape, steps)
    drawn = (within + torch.rand((*shape, steps), generator=generator)) * (stretch / steps)
    return start + drawn.long().clamp_max(stretch - 1)


def _gather(inputs, segments, steps):
    members, count = segments.shape
    rows = segments[..., None] * inputs.shape[1] + steps
    return (
        inputs.view(-1, inputs.shape[-1])
        .index_select(0, rows.view(-1))
        .view(members, count, -1, inputs.shape[-1])
    )


def _returns(network, inputs, gain, full=False):
    members, count, steps, width = inputs.shape
    f = gain[:, None, None] * network(inputs.view(members, count * steps, width)).view(members, count, steps)
    return (f.mean(-1), f) if full else f.mean(-1)


def _train_epoch(network, optimizer, data, config, generator):
    members, count = data.weights.shape
    order = _members_first(data.weights, generator)
    order = order.gather(1, torch.rand(order.shape, generator=generator).argsort(1))
    num_batches = max(1, round(order.shape[1] / config.batch_size))
    length = data.inputs.shape[1]
    for batch in order.chunk(num_batches, dim=1):
        weights = data.weights.gather(1, batch)
        size = batch.shape[1]
        segments = torch.cat([data.first[batch], data.second[batch]], dim=1)
        stretch = length
        if config.crops:
            low, high = config.crop_fraction
            stretch = max(
                1, round((low + (high - low) * float(torch.rand((), generator=generator))) * length)
            )
        start = torch.randint(0, length - stretch + 1, (*segments.shape, 1), generator=generator)
        returns, f = _returns(
            network,
            _gather(
                data.inputs,
                segments,
                _steps(segments.shape, start, stretch, config.steps_per_segment or stretch, generator),
            ),
            data.gain,
            True,
        )
        losses = negative_log_likelihood(
            returns[:, :size], returns[:, size:], data.prob_first[batch], weights, config.noise
        ).sum()
        if PEN:
            losses = losses + PEN * f.var(dim=(1, 2)).sum()
        optimizer.zero_grad(set_to_none=True)
        losses.backward()
        optimizer.step()
