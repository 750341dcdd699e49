"""M fitted reward networks as plain arrays: what ``networks`` trains, evaluated without torch.

Whoever only asks for rewards (the trainer between fits, the renderer, the web process) then needs neither the
library nor the seconds and the memory that loading it takes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.types.experience import Float32, Int64

PRODUCT_SCALE = 0.5
"""Products count for so much less than features: a ridge then holds them back more, four times as much, and a
goal that is linear on the whole is not lost among hundreds of products."""
_ENCODER = ("encoder.first", "encoder.first_bias", "encoder.second", "encoder.second_bias")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenNetwork:
    """M members: a linear term over F features and products of features, plus a network of the features.

    Every array has the names and the shape it has in ``networks.EnsembleNetwork``.
    """

    columns: Int64
    """(C,), the features whose products, of each with itself and every later one, are inputs too."""
    skip: Float32
    """(M, F + C (C + 1) / 2, 1), weights of features and products."""
    weights: tuple[Float32, ...] = ()
    """Of the network's layers, each (M, fan_in, fan_out); none if there is no network."""
    biases: tuple[Float32, ...] = ()
    """Of the hidden layers, each (M, 1, fan_out)."""
    encoder: tuple[Float32, ...] = ()
    """Weight (F, H), bias (H,), weight (H, E), bias (E,) of what makes codes of features for the network;
    none if the network sees the features themselves."""

    def __post_init__(self) -> None:
        """Check that the layers fit together."""
        members, seen = self.num_members, self.num_features
        check_shape("skip", self.skip, (None, None, 1))
        for weight, bias in zip(self.encoder[::2], self.encoder[1::2], strict=True):
            check_shape("encoder", weight, (seen, None))
            check_shape("encoder bias", bias, (weight.shape[1],))
            seen = weight.shape[1]
        for weight, bias in zip(self.weights[:-1], self.biases, strict=True):
            check_shape("weights", weight, (members, seen, None))
            check_shape("biases", bias, (members, 1, weight.shape[2]))
            seen = weight.shape[2]
        if self.weights:
            check_shape("weights", self.weights[-1], (members, seen, 1))

    @property
    def num_members(self) -> int:
        """M."""
        return len(self.skip)

    @property
    def num_features(self) -> int:
        """F."""
        size = len(self.columns)
        return int(self.skip.shape[1]) - size * (size + 1) // 2

    def __call__(self, normalised: Float32) -> Float32:
        """Return one number per step and member: normalised features (B, F) -> float32 (M, B)."""
        output: Float32 = self.linear @ normalised.T
        if len(self.columns):
            chosen = normalised[:, self.columns]
            output += np.einsum("mbc,bc->mb", chosen @ self.products, chosen)
        if self.weights:
            hidden = self.encoded(normalised)
            for weight, bias in zip(self.weights[:-1], self.biases, strict=True):
                hidden = silu(hidden @ weight + bias)
            output += (hidden @ self.weights[-1])[..., 0]
        return output

    @property
    def linear(self) -> Float32:
        """Weights of the features in the linear term, (M, F)."""
        return self.skip[:, : self.num_features, 0]

    @property
    def products(self) -> Float32:
        """Weights of the products x_i x_j of ``columns`` in the linear term, (M, C, C), zero for i > j."""
        size = len(self.columns)
        rows, others = np.triu_indices(size)
        form = np.zeros((self.num_members, size, size), np.float32)
        form[:, rows, others] = PRODUCT_SCALE * self.skip[:, self.num_features :, 0]
        return form

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name; inverse of ``from_arrays``."""
        arrays: dict[str, npt.NDArray[Any]] = {"columns": self.columns, "skip": self.skip}
        arrays |= {f"weights.{index}": weight for index, weight in enumerate(self.weights)}
        arrays |= {f"biases.{index}": bias for index, bias in enumerate(self.biases)}
        return arrays | dict(zip(_ENCODER, self.encoder, strict=False))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "FrozenNetwork":
        """Rebuild networks from ``to_arrays``.

        Raises:
            KeyError: an array is missing.
            ShapeError: the arrays do not fit together.
        """
        layers = sum(name.startswith("weights.") for name in arrays)
        return cls(
            columns=arrays["columns"],
            skip=arrays["skip"],
            weights=tuple(arrays[f"weights.{index}"] for index in range(layers)),
            biases=tuple(arrays[f"biases.{index}"] for index in range(layers - 1)),
            encoder=tuple(arrays[name] for name in _ENCODER) if _ENCODER[0] in arrays else (),
        )

    def encoded(self, normalised: Float32) -> Float32:
        """Return what the network sees of normalised features (B, F), (B, E)."""
        if not self.encoder:
            return normalised
        first, first_bias, second, second_bias = self.encoder
        codes: Float32 = np.tanh(silu(normalised @ first + first_bias) @ second + second_bias)
        return codes


def sigmoid(inputs: Float32) -> Float32:
    """Return 1 / (1 + exp(-x)) of each input; by the hyperbolic tangent, which never overflows."""
    share: Float32 = 0.5 + 0.5 * np.tanh(0.5 * inputs)
    return share


def silu(inputs: Float32) -> Float32:
    """Return x sigmoid(x) of each input."""
    return inputs * sigmoid(inputs)
