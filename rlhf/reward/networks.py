"""M reward networks as one: every parameter has a leading member axis, one matrix product serves all.

Knows inputs that are already normalised; returns one unbounded number per step and member.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlhf.types.experience import Float32, Float64, Int64

MAX_QUADRATIC_FEATURES = 24
"""Columns whose products a quadratic reward may use; 300 products, as many as answers can tell apart."""
PRODUCT_SCALE = 0.5
"""Products count for so much less than features: a ridge then holds them back more, four times as much, and a
goal that is linear on the whole is not lost among hundreds of products."""
_SEGMENTS_AT_ONCE = 64


class EnsembleNetwork(nn.Module):
    """M members: a linear term over features and products of features, plus a SiLU network of the features.

    There is no output bias: only differences of returns are ever observed, so nothing could fit it.

    Args:
        num_members: M.
        num_features: F.
        columns: features whose products are inputs too, see ``expand``.
        hidden: widths of the hidden layers of the network; none leaves the linear term alone.
        generator: draws the initial weights.
    """

    columns: Tensor

    def __init__(
        self,
        num_members: int,
        num_features: int,
        *,
        columns: Int64,
        hidden: tuple[int, ...],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_members, self.num_features = num_members, num_features
        self.register_buffer("columns", torch.from_numpy(columns.copy()))
        inputs = num_features + len(columns) * (len(columns) + 1) // 2
        widths = [num_features, *hidden, 1] if hidden else []
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(widths):
            self.weights.append(_normal((num_members, fan_in, fan_out), 1.0 / math.sqrt(fan_in), generator))
        for width in hidden:
            self.biases.append(_normal((num_members, 1, width), 0.1, generator))
        self.skip = _normal((num_members, inputs, 1), 0.5 / math.sqrt(inputs), generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one number per step and member: inputs (M, N, P) -> (M, N); see ``expand``."""
        output = torch.bmm(inputs, self.skip).squeeze(-1)
        return output + self.added(inputs[..., : self.num_features]) if len(self.weights) else output

    def added(self, features: Tensor) -> Tensor:
        """Return what the network adds to the linear term: features (M, N, F) -> (M, N)."""
        hidden = features
        for weight, bias in zip(self.weights[:-1], self.biases, strict=True):
            hidden = F.silu(torch.baddbmm(bias, hidden, weight))
        return torch.bmm(hidden, self.weights[-1]).squeeze(-1)


def expand(inputs: Tensor, columns: Tensor) -> Tensor:
    """Return the network's inputs (..., P) for normalised features (..., F): the features, then products.

    Products are ``PRODUCT_SCALE`` x_i x_j for i <= j of ``columns``; without columns there are none.
    """
    if not len(columns):
        return inputs
    rows, others = torch.triu_indices(len(columns), len(columns))
    products = PRODUCT_SCALE * inputs[..., columns[rows]] * inputs[..., columns[others]]
    return torch.cat([inputs, products], dim=-1)


def mean_inputs(inputs: Tensor, columns: Int64) -> Float64:
    """Return what a plain linear term sees of whole segments, (S, P): the means of their expanded steps.

    Args:
        inputs: normalised features, (S, L, F).
        columns: see ``expand``.
    """
    blocks = torch.split(inputs, _SEGMENTS_AT_ONCE)
    means = [expand(block, torch.from_numpy(columns)).mean(dim=1) for block in blocks]
    return np.asarray(torch.cat(means).double().numpy())


def product_columns(normalised: Float32) -> Int64:
    """Return the features whose products a quadratic reward uses, at most ``MAX_QUADRATIC_FEATURES``.

    All of them if there are no more. Otherwise those whose means differ most between segments, as a share of
    how much they vary from step to step: what is the same in every segment on the whole (the change per step
    is nearly so) could not be told from comparing segments.

    Args:
        normalised: features of the compared segments, (S, L, F).
    """
    between = normalised.mean(axis=1).var(axis=0)
    order = np.argsort(-between, kind="stable")[:MAX_QUADRATIC_FEATURES]
    return np.sort(order).astype(np.int64)


def _normal(shape: tuple[int, ...], sd: float, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator) * sd)
