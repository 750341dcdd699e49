"""M reward networks as one: every parameter has a leading member axis, one matrix product serves all.

Knows inputs that are already normalised; returns one unbounded number per step and member.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlhf.reward.encoder import Encoder
from rlhf.reward.frozen import PRODUCT_SCALE, FrozenNetwork
from rlhf.types.experience import Float32, Float64, Int64

MAX_QUADRATIC_FEATURES = 24
"""Columns whose products a quadratic reward may use; 300 products, as many as answers can tell apart."""


class EnsembleNetwork(nn.Module):
    """M members: a linear term over features and products of features, plus a SiLU network of the features.

    There is no output bias: only differences of returns are ever observed, so nothing could fit it.

    Args:
        num_members: M.
        num_features: F.
        columns: features whose products are inputs of the linear term too, see ``mean_inputs``.
        hidden: widths of the hidden layers of the network; none leaves the linear term alone.
        generator: draws the initial weights.
        encoder: makes what the network sees of features; none lets it see the features themselves.
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
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.num_members, self.num_features = num_members, num_features
        self.register_buffer("columns", torch.from_numpy(columns.copy()))
        inputs = num_features + len(columns) * (len(columns) + 1) // 2
        seen = num_features if encoder is None else encoder.num_codes
        widths = [seen, *hidden, 1] if hidden else []
        self.encoder = encoder
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(widths):
            self.weights.append(_normal((num_members, fan_in, fan_out), 1.0 / math.sqrt(fan_in), generator))
        for width in hidden:
            self.biases.append(_normal((num_members, 1, width), 0.1, generator))
        self.skip = _normal((num_members, inputs, 1), 0.5 / math.sqrt(inputs), generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return one number per step and member: normalised features (M, N, F) -> (M, N)."""
        output = torch.bmm(features, self.skip[:, : self.num_features]).squeeze(-1)
        if len(self.columns):
            output = output + self._products(features[..., self.columns])
        return output + self.added(self.encoded(features)) if len(self.weights) else output

    def encoded(self, features: Tensor) -> Tensor:
        """Return what the network sees of normalised features (..., F): codes, if it has an encoder."""
        if self.encoder is None:
            return features
        codes: Tensor = self.encoder(features)
        return codes

    def added(self, seen: Tensor) -> Tensor:
        """Return what the network adds to the linear term: ``encoded`` features (M, N, E) -> (M, N)."""
        hidden = seen
        *weights, last = self.weights
        for weight, bias in zip(weights, self.biases, strict=True):
            hidden = F.silu(torch.baddbmm(bias, hidden, weight))
        return torch.bmm(hidden, last).squeeze(-1)

    def frozen(self) -> FrozenNetwork:
        """Return what was fitted as arrays of its own: further training does not reach them."""
        return FrozenNetwork.from_arrays({name: t.numpy().copy() for name, t in self.state_dict().items()})

    def _products(self, chosen: Tensor) -> Tensor:
        """Return the weighted sum of products of the columns (M, N, C), (M, N), without forming them."""
        size = len(self.columns)
        rows, others = torch.triu_indices(size, size)
        form = torch.zeros(self.num_members, size, size)
        form[:, rows, others] = PRODUCT_SCALE * self.skip[:, self.num_features :, 0]
        return (torch.bmm(chosen, form) * chosen).sum(dim=-1)


def mean_inputs(inputs: Tensor, columns: Int64) -> Float64:
    """Return what the linear term sees of whole segments, (S, P): the means over their steps.

    Of the features, then of ``PRODUCT_SCALE`` x_i x_j for i <= j of ``columns``.

    Args:
        inputs: normalised features, (S, L, F).
        columns: features whose products are inputs too; none leaves the features alone.
    """
    chosen = inputs[..., torch.from_numpy(columns)]
    products = torch.bmm(chosen.mT, chosen) * (PRODUCT_SCALE / inputs.shape[1])
    rows, others = torch.triu_indices(len(columns), len(columns))
    means = torch.cat([inputs.mean(dim=1), products[:, rows, others]], dim=-1)
    return np.asarray(means.double().numpy())


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
