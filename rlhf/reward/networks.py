"""M reward networks as one: every parameter has a leading member axis, one matrix product serves all.

Knows inputs that are already normalised; returns one unbounded number per step and member.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlhf.errors import ConfigError
from rlhf.reward.config import ModelClass, RewardConfig

MAX_QUADRATIC_FEATURES = 24


class EnsembleNetwork(nn.Module):
    """M members of one model class: a linear term plus, for ``mlp``, a SiLU network.

    There is no output bias: only differences of returns are ever observed, so nothing could fit it.
    """

    def __init__(self, config: RewardConfig, num_features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.model_class: ModelClass = config.model_class
        self.num_members = config.num_members
        inputs = num_expanded(config.model_class, num_features)
        hidden = config.hidden if config.model_class == "mlp" else ()
        widths = [inputs, *hidden, 1] if hidden else []
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(widths):
            self.weights.append(
                _normal((self.num_members, fan_in, fan_out), 1.0 / math.sqrt(fan_in), generator)
            )
        for width in hidden:
            self.biases.append(_normal((self.num_members, 1, width), 0.1, generator))
        self.skip = _normal((self.num_members, inputs, 1), 0.5 / math.sqrt(inputs), generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one number per step and member: inputs (M, N, P) -> (M, N); see ``expand``."""
        output = torch.bmm(inputs, self.skip)
        if len(self.weights):
            hidden = inputs
            for weight, bias in zip(self.weights[:-1], self.biases, strict=True):
                hidden = F.silu(torch.baddbmm(bias, hidden, weight))
            output = torch.baddbmm(output, hidden, self.weights[-1])
        return output.squeeze(-1)


def num_expanded(model_class: ModelClass, num_features: int) -> int:
    """Return P, the number of network inputs for F features.

    Raises:
        ConfigError: ``quadratic`` with more features than it can take.
    """
    if model_class != "quadratic":
        return num_features
    if num_features > MAX_QUADRATIC_FEATURES:
        raise ConfigError(
            f"model_class 'quadratic' takes up to {MAX_QUADRATIC_FEATURES} features and there are "
            f"{num_features}; use 'mlp' or 'linear'."
        )
    return num_features + num_features * (num_features + 1) // 2


def expand(model_class: ModelClass, inputs: Tensor) -> Tensor:
    """Return the network's inputs (..., P) for normalised features (..., F).

    ``quadratic`` appends x_i x_j for i <= j; the others pass the features on.
    """
    if model_class != "quadratic":
        return inputs
    rows, columns = torch.triu_indices(inputs.shape[-1], inputs.shape[-1])
    return torch.cat([inputs, inputs[..., rows] * inputs[..., columns]], dim=-1)


def _normal(shape: tuple[int, ...], sd: float, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator) * sd)
