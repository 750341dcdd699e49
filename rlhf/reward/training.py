"""Gradient descent on comparisons: bootstrap, minibatches of sampled steps, a stop for every member.

Knows normalised inputs and networks; nothing of features, versions or the scale the policy sees.
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
"""With fewer answers none are held out; see ``bootstrap_weights``."""


def bootstrap_weights(data: PreferenceData, num_members: int, rng: np.random.Generator) -> Float32:
    """Return how often each member counts each comparison, float32 (M, Q); zero means out of bag.

    Weights are Poisson(1) per pair of segments: repeated answers about one pair are in or out together,
    so that no member is tested on a pair it has seen. Every member keeps at least one pair. With fewer
    than ``MIN_OUT_OF_BAG`` answers each member sees all of them, once or twice: losing a third of so few
    would cost more than the bootstrap gives.
    """
    pairs = np.sort(np.stack([data.first, data.second]), axis=0)
    _, pair_of = np.unique(pairs, axis=1, return_inverse=True)
    pair_of = pair_of.reshape(-1)
    shape = (num_members, int(pair_of.max()) + 1)
    if len(data) < MIN_OUT_OF_BAG:
        counts = rng.integers(1, 3, shape)
    else:
        counts = rng.poisson(1.0, shape)
        empty = np.flatnonzero(counts.sum(axis=1) == 0)
        counts[empty, rng.integers(0, shape[1], len(empty))] = 1
    return np.asarray(counts[:, pair_of], dtype=np.float32)


def holds_out(weights: Float32) -> bool:
    """Return whether every member has out-of-bag answers, and there are enough to go by."""
    return weights.shape[1] >= MIN_OUT_OF_BAG and bool((weights == 0).any(axis=1).all())


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What training needs, as tensors."""

    inputs: Tensor
    """Normalised inputs, float32 (S, L, F)."""
    first: Tensor
    """int64 (Q,)."""
    second: Tensor
    """int64 (Q,)."""
    prob_first: Tensor
    """float32 (Q,)."""
    weights: Tensor
    """float32 (M, Q); zero means out of bag."""
    gain: Tensor
    """float32 (M,)."""


def train(
    network: EnsembleNetwork, data: TrainingSet, config: RewardConfig, generator: torch.Generator
) -> Int64:
    """Fit the network in place and return the epochs behind each member's weights, int64 (M,).

    Members share nothing but the arithmetic: each has its own comparisons, order and stretches of the
    segments, and its own stop, by the likelihood of its out-of-bag comparisons; its best weights are put
    back. The sum of the members' losses therefore is only a way to get all gradients in one pass.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    if not holds_out(data.weights.numpy()):
        for _ in range(config.early_epochs):
            _train_epoch(network, optimizer, data, config, generator)
        return np.full(len(data.gain), config.early_epochs, dtype=np.int64)
    held_out = _HeldOut(data, config, generator)
    best = [parameter.detach().clone() for parameter in network.parameters()]
    best_loss = torch.full((len(data.gain),), torch.inf)
    best_epoch = torch.zeros(len(data.gain), dtype=torch.int64)
    for epoch in range(config.max_epochs + 1):
        loss = held_out.loss(network)
        is_training = epoch - best_epoch <= config.patience
        better = (loss < best_loss) & is_training
        best_loss[better], best_epoch[better] = loss[better], epoch
        for kept, parameter in zip(best, network.parameters(), strict=True):
            kept[better] = parameter.detach()[better]
        if epoch == config.max_epochs or not bool(is_training.any()):
            break
        _train_epoch(network, optimizer, data, config, generator)
    with torch.no_grad():
        for kept, parameter in zip(best, network.parameters(), strict=True):
            parameter.copy_(kept)
    return best_epoch.numpy()


class _HeldOut:
    """Each member's out-of-bag comparisons, with their inputs gathered once.

    The steps that stand for a segment stay the same, so that epochs are compared on equal terms.
    """

    def __init__(self, data: TrainingSet, config: RewardConfig, generator: torch.Generator) -> None:
        is_out = (data.weights == 0).float()
        comparisons = _nonzero_first(is_out, generator)
        segments = torch.cat([data.first[comparisons], data.second[comparisons]], dim=1)
        steps = _stratified_steps(
            segments.shape, data.inputs.shape[1], 2 * config.steps_per_segment, generator
        )
        self._inputs = _gather(data.inputs, segments, steps)
        self._prob_first = data.prob_first[comparisons]
        self._weights = is_out.gather(1, comparisons)
        self._gain, self._noise = data.gain, config.noise

    def loss(self, network: EnsembleNetwork) -> Tensor:
        """Return each member's mean out-of-bag loss, (M,)."""
        with torch.no_grad():
            first, second = _returns(network, self._inputs, self._gain).chunk(2, dim=1)
            return negative_log_likelihood(first, second, self._prob_first, self._weights, self._noise)


def _train_epoch(
    network: EnsembleNetwork,
    optimizer: torch.optim.Optimizer,
    data: TrainingSet,
    config: RewardConfig,
    generator: torch.Generator,
) -> None:
    comparisons = _nonzero_first(data.weights, generator)
    # members differ in how many comparisons they hold; shuffling spreads the padding over all batches
    shuffled = torch.rand(comparisons.shape, generator=generator).argsort(dim=1)
    comparisons = comparisons.gather(1, shuffled)
    for batch in comparisons.chunk(max(1, round(comparisons.shape[1] / config.batch_size)), dim=1):
        segments = torch.cat([data.first[batch], data.second[batch]], dim=1)
        steps = _training_steps(segments.shape, data.inputs.shape[1], config, generator)
        first, second = _returns(network, _gather(data.inputs, segments, steps), data.gain).chunk(2, dim=1)
        weights = data.weights.gather(1, batch)
        losses = negative_log_likelihood(first, second, data.prob_first[batch], weights, config.noise)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _nonzero_first(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return indices (M, K) of each member's nonzero entries of (M, Q), padded with zero-weight ones.

    K is the largest number that any member has.
    """
    is_used = weights > 0
    keys = is_used + 0.5 * torch.rand(weights.shape, generator=generator)
    return keys.topk(int(is_used.sum(dim=1).max()), dim=1).indices


def _training_steps(
    shape: torch.Size, length: int, config: RewardConfig, generator: torch.Generator
) -> Tensor:
    """Return the steps of each segment to look at now, (*shape, T), within a random stretch if wanted.

    All segments of a batch share the stretch's length, so that pairs stay comparable, not its start.
    """
    if not config.crops:
        return _stratified_steps(shape, length, config.steps_per_segment, generator)
    low, high = config.crop_fraction
    share = low + (high - low) * float(torch.rand((), generator=generator))
    stretch = max(1, round(share * length))
    start = torch.randint(0, length - stretch + 1, (*shape, 1), generator=generator)
    return start + _stratified_steps(shape, stretch, config.steps_per_segment, generator)


def _stratified_steps(shape: torch.Size, length: int, num_steps: int, generator: torch.Generator) -> Tensor:
    """Return one random step from each of ``num_steps`` equal parts of ``length``, (*shape, T).

    All steps if that is fewer, or if ``num_steps`` is 0.
    """
    if num_steps == 0 or num_steps >= length:
        return torch.arange(length).expand(*shape, length)
    drawn = torch.arange(num_steps) + torch.rand((*shape, num_steps), generator=generator)
    return (drawn * (length / num_steps)).long().clamp_max(length - 1)


def _gather(inputs: Tensor, segments: Tensor, steps: Tensor) -> Tensor:
    """Return inputs (M, K, T, F) of the given segments (M, K) at the given steps (M, K, T)."""
    rows = segments[..., None] * inputs.shape[1] + steps
    gathered = inputs.view(-1, inputs.shape[-1]).index_select(0, rows.view(-1))
    return gathered.view(*rows.shape, inputs.shape[-1])


def _returns(network: EnsembleNetwork, inputs: Tensor, gain: Tensor) -> Tensor:
    """Return returns in logits, (M, K), of inputs (M, K, T, F)."""
    members, count, steps, width = inputs.shape
    outputs: Tensor = network(inputs.view(members, count * steps, width))
    returns: Tensor = gain[:, None] * outputs.view(members, count, steps).mean(dim=-1)
    return returns
