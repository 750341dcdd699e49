"""Gradient descent on answers for many networks at once: minibatches of sampled steps, held-out likelihoods.

Knows normalised inputs and networks; nothing of features, versions or the scale the policy sees.
"""

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rlhf.reward.bradley_terry import Evidence, answer_log_prob
from rlhf.reward.config import RewardConfig
from rlhf.reward.networks import EnsembleNetwork

_HELD_OUT_STEPS = 20
"""Steps that stand for a segment when a held-out answer is predicted; the same in every epoch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What training needs, as tensors."""

    inputs: Tensor
    """What the networks see of segments, float32 (S, L, F)."""
    said: Evidence
    """Of A answers."""
    weights: Tensor
    """float32 (M, A), how often a member counts an answer; zero leaves it out."""
    gain: Tensor
    """float32 (M,)."""
    linear_returns: Tensor
    """float32 (M, S), returns in logits by the linear terms, which are solved for and not trained."""


def train(
    network: EnsembleNetwork,
    data: TrainingSet,
    config: RewardConfig,
    generator: torch.Generator,
    *,
    weight_decay: Tensor,
    epochs: int,
    goes_on: Callable[[int], bool] = lambda epoch: True,
) -> None:
    """Fit what the networks add to their linear terms, in place.

    Members share nothing but the arithmetic: each has its own answers, order and stretches of the segments.
    The sum of their losses therefore is only a way to get all gradients in one pass.

    Args:
        network: M members.
        data: what they learn from.
        config: size of steps and batches.
        generator: draws the order and the steps.
        weight_decay: AdamW's decoupled decay of each member, (M,).
        epochs: passes over the answers.
        goes_on: called before each epoch with its number, and after the last; False ends the training.
    """
    parameters = [*network.weights, *network.biases]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.0, fused=True)
    batch_size = min(config.batch_size, max(4, data.weights.shape[1] // 8))  # few answers: smaller batches
    kept = 1.0 - config.learning_rate * weight_decay[:, None, None]
    for epoch in range(epochs):
        if not goes_on(epoch):
            return
        for batch in _batches(data, batch_size, config, generator):
            _step(network, optimizer, data, batch, kept)
    goes_on(epochs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Batch:
    """B answers of every member, with what their segments look like."""

    said: Evidence
    weights: Tensor
    """(M, B)."""
    inputs: Tensor
    """(M, B, K, T, F)."""
    linear_returns: Tensor
    """(M, B, K)."""


def _step(
    network: EnsembleNetwork,
    optimizer: torch.optim.Optimizer,
    data: TrainingSet,
    batch: _Batch,
    kept: Tensor,
) -> None:
    returns = batch.linear_returns + _added_returns(network, batch.inputs, data.gain)
    log_prob = answer_log_prob(returns, batch.said)
    losses = -(batch.weights * log_prob).sum(-1) / batch.weights.sum(-1).clamp_min(1e-12)
    optimizer.zero_grad(set_to_none=True)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in (*network.weights, *network.biases):
            parameter.mul_(kept)
    optimizer.step()


class HeldOut:
    """Answers that each member did not train on, with their inputs gathered once.

    The steps that stand for a segment stay the same, so that epochs are compared on equal terms.

    Args:
        data: what the members train on.
        is_tested: the answers to predict, (M, A), as many for every member as any has.
        generator: draws the steps.
    """

    def __init__(self, data: TrainingSet, is_tested: Tensor, generator: torch.Generator) -> None:
        self._is_tested = is_tested
        self._answers = _nonzero_first(is_tested.float(), generator)
        self._said = data.said.at(self._answers)
        steps = _stratified_steps(self._said.segments.shape, data.inputs.shape[1], _HELD_OUT_STEPS, generator)
        self._inputs = _gather(data.inputs, self._said.segments, steps)
        self._linear_returns = _linear_returns(data, self._said.segments)
        self._gain = data.gain

    def log_prob(self, network: EnsembleNetwork) -> Tensor:
        """Return each member's log-probability of every answer, (M, A); 0 where it is not tested."""
        with torch.no_grad():
            returns = self._linear_returns + _added_returns(network, self._inputs, self._gain)
            log_prob = answer_log_prob(returns, self._said)
            everywhere = torch.zeros(self._is_tested.shape).scatter(1, self._answers, log_prob)
            return everywhere * self._is_tested


def _batches(
    data: TrainingSet, size: int, config: RewardConfig, generator: torch.Generator
) -> Iterator[_Batch]:
    """Yield batches which together are all that each member counts, in random order.

    What they look at is gathered for all of them at once: a batch is too small to be worth the calls.
    """
    answers = _nonzero_first(data.weights, generator)
    # members differ in how many answers they count; shuffling spreads the padding over all batches
    shuffled = torch.rand(answers.shape, generator=generator).argsort(dim=1)
    answers = answers.gather(1, shuffled)
    said, weights = data.said.at(answers), data.weights.gather(1, answers)
    steps = _training_steps(said.segments.shape, data.inputs.shape[1], config, generator)
    inputs, linear_returns = _gather(data.inputs, said.segments, steps), _linear_returns(data, said.segments)
    number = answers.shape[1]
    for part in torch.arange(number).chunk(max(1, round(number / size))):
        rows = (slice(None), slice(int(part[0]), int(part[-1]) + 1))
        yield _Batch(
            said=said.at(rows),
            weights=weights[rows],
            inputs=inputs[rows],
            linear_returns=linear_returns[rows],
        )


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

    All segments share the stretch's length, so that pairs stay comparable, not its start.
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
    """Return inputs (M, B, K, T, F) of the given segments (M, B, K) at the given steps (M, B, K, T)."""
    rows = segments[..., None] * inputs.shape[1] + steps
    gathered = inputs.view(-1, inputs.shape[-1]).index_select(0, rows.view(-1))
    return gathered.view(*rows.shape, inputs.shape[-1])


def _linear_returns(data: TrainingSet, segments: Tensor) -> Tensor:
    """Return the linear terms' returns of segments (M, B, K)."""
    return data.linear_returns.gather(1, segments.flatten(1)).view(segments.shape)


def _added_returns(network: EnsembleNetwork, inputs: Tensor, gain: Tensor) -> Tensor:
    """Return what the networks add to returns, in logits, (M, B, K), of inputs (M, B, K, T, F)."""
    outputs = network.added(inputs.flatten(1, -2))
    returns: Tensor = gain[:, None, None] * outputs.view(inputs.shape[:-1]).mean(dim=-1)
    return returns
