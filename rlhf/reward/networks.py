"""M reward networks as one: every parameter has a leading member axis, one matrix product serves all.

Knows inputs that are already normalised; returns one unbounded number per step and member.
"""

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
        members = config.num_members
        num_inputs = num_expanded(config.model_class, num_features)
        widths = [num_inputs, *(config.hidden if config.model_class == "mlp" else ())]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
            self.weights.append(_normal((members, fan_in, fan_out), 1.0 / math.sqrt(fan_in), generator))
            self.biases.append(_normal((members, 1, fan_out), 0.1, generator))
        if len(widths) > 1:
            self.weights.append(_normal((members, widths[-1], 1), 1.0 / math.sqrt(widths[-1]), generator))
        self.skip = nn.Parameter(_normal((members, num_inputs, 1), 0.5 / math.sqrt(num_inputs), generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one number per step: expanded inputs (M, N, P) -> (M, N); see ``expand``."""
        output = torch.bmm(inputs, self.skip)
        if len(self.weights):
            hidden = inputs
            for weight, bias in zip(self.weights[:-1], self.biases, strict=True):
                hidden = F.silu(torch.baddbmm(bias, hidden, weight))
            output = output + torch.bmm(hidden, self.weights[-1])
        return output.squeeze(-1)


def num_expanded(model_class: ModelClass, num_features: int) -> int:
    """Return P, the number of network inputs for F features.

    Raises:
        ConfigError: ``quadratic`` with more features than make sense.
    """
    if model_class != "quadratic":
        return num_features
    if num_features > MAX_QUADRATIC_FEATURES:
        raise ConfigError(
            f"model_class 'quadratic' works up to {MAX_QUADRATIC_FEATURES} features and the task has "
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
