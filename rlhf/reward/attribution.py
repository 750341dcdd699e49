"""Which features made a reward: a contribution of each feature to each step, which add up to the reward.

Integrated gradients from the average step, where all normalised features z are 0, to the step in question:

    contribution_i = z_i * integral over a in [0, 1] of df/dz_i (a z),      sum_i contribution_i = f(z) - f(0)

For a linear term that is its weight times z_i; a product z_i z_j is shared equally by its two features. Both
are exact. Networks are integrated by Gauss's rule.

Source: https://arxiv.org/abs/1703.01365 sec. 3.
"""

import dataclasses

import numpy as np

from rlhf.checks import check_shape
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.frozen import FrozenNetwork, sigmoid, silu
from rlhf.types.experience import Float32

_NODES = 24
"""Points of Gauss's rule; enough that contributions add up to within a thousandth of the reward's scale."""
_ROWS_AT_ONCE = 512
"""Steps whose gradients are computed together, so that memory stays small for whole episodes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribution:
    """What each member's reward is made of, in standard deviations of the reward per step."""

    contributions: Float32
    """(M, B, F): what each feature adds to a step's reward compared with the average step."""
    base: Float32
    """(M,): the reward of the average step. With the contributions it adds up to ``member_rewards``."""


def attribute(model: RewardModel, features: Float32) -> Attribution:
    """Return what made the rewards of steps, for raw features (B, F).

    Raises:
        ShapeError: the features are not those of the model.
    """
    check_shape("features", features, (None, model.num_features))
    normalised, network = model.input_normaliser(features), model.network
    scale = 1.0 / model.output_normaliser.sd
    slopes = network.linear[:, None] + _product_slopes(network, normalised)
    if network.weights:
        slopes += np.concatenate(
            [
                _network_slopes(network, normalised[start : start + _ROWS_AT_ONCE])
                for start in range(0, max(1, len(normalised)), _ROWS_AT_ONCE)
            ],
            axis=1,
        )
    average = np.zeros((1, model.num_features), np.float32)
    return Attribution(
        contributions=scale[:, None, None] * slopes * normalised,
        base=model.output_normaliser(network(average))[:, 0],
    )


def _product_slopes(network: FrozenNetwork, normalised: Float32) -> Float32:
    """Return the products' mean gradient on the way from 0 to each step, (M, B, F)."""
    slopes = np.zeros((network.num_members, *normalised.shape), np.float32)
    form = network.products
    slopes[..., network.columns] = 0.5 * (normalised[:, network.columns] @ (form + form.transpose(0, 2, 1)))
    return slopes


def _network_slopes(network: FrozenNetwork, normalised: Float32) -> Float32:
    """Return the networks' mean gradient on the way from 0 to each step, (M, B, F)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)  # of [-1, 1]
    shares = (0.5 * (nodes + 1.0)).astype(np.float32)
    slopes = np.zeros((network.num_members, *normalised.shape), np.float32)
    for share, weight in zip(shares, 0.5 * weights.astype(np.float32), strict=True):
        slopes += weight * _gradients(network, share * normalised)
    return slopes


def _gradients(network: FrozenNetwork, normalised: Float32) -> Float32:
    """Return the gradients of what the networks add, (M, B, F), at normalised features (B, F)."""
    seen = network.encoded(normalised)
    hidden = seen
    inputs: list[Float32] = []  # what enters each activation
    for weight, bias in zip(network.weights[:-1], network.biases, strict=True):
        inputs.append(hidden @ weight + bias)
        hidden = silu(inputs[-1])
    gradient: Float32 = network.weights[-1].transpose(0, 2, 1)
    for weight, entering in zip(network.weights[-2::-1], inputs[::-1], strict=True):
        gradient = np.matmul(gradient * _silu_slope(entering), weight.transpose(0, 2, 1))
    if network.encoder:
        first, first_bias, second, _ = network.encoder
        gradient = np.matmul(gradient * (1.0 - seen**2), second.T)  # tanh' = 1 - tanh^2
        gradient = np.matmul(gradient * _silu_slope(normalised @ first + first_bias), first.T)
    return gradient


def _silu_slope(inputs: Float32) -> Float32:
    share = sigmoid(inputs)
    slope: Float32 = np.multiply(share, 1.0 + inputs * (1.0 - share))
    return slope
