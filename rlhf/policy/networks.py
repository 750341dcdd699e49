"""Tanh networks whose parameters live in one flat buffer, and their gradient in another.

All views share the memory of their buffer, so an optimiser moves every layer with one operation.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from rlhf.errors import CheckpointError
from rlhf.policy.snapshot import mlp_forward
from rlhf.types.experience import Float32


def orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int, gain: float) -> Float32:
    """Return a random (fan_in, fan_out) matrix with orthonormal rows or columns, times ``gain``."""
    square = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(square)
    q *= np.sign(np.diag(r))  # without it the decomposition, not the draw, would decide the signs
    return (gain * (q if fan_in >= fan_out else q.T)).astype(np.float32)


class Network:
    """A tanh MLP with a linear last layer, and optional free parameters behind it (the actor's log_std).

    ``parameters`` and ``gradient`` are flat float32 (P,); ``weights``, ``biases`` and ``free`` are numpy
    views of ``parameters``, and so are ``matrices``, each layer's (fan_in + 1, fan_out): the weight, and the
    bias as its last row. ``matrix_gradients`` and ``free_gradient`` are the same views of ``gradient``. Write
    to all of them in place only.

    Args:
        sizes: widths from input to output, e.g. (D, 64, 64, A).
        rng: draws the weights: orthogonal, gain sqrt(2), biases zero.
        last_gain: gain of the last layer; small makes the first outputs nearly equal.
        free: start values of the free parameters, (F,).
    """

    def __init__(
        self, sizes: Sequence[int], rng: np.random.Generator, *, last_gain: float, free: Float32 | None = None
    ) -> None:
        pairs = list(itertools.pairwise(sizes))
        num_free = 0 if free is None else len(free)
        self.parameters: Float32 = np.zeros(sum(i * o + o for i, o in pairs) + num_free, np.float32)
        self.gradient: Float32 = np.zeros_like(self.parameters)
        self.weights: list[Float32] = []
        self.biases: list[Float32] = []
        self.matrices: list[Float32] = []
        self.matrix_gradients: list[Float32] = []
        start = 0
        for layer, (fan_in, fan_out) in enumerate(pairs):
            gain = last_gain if layer == len(pairs) - 1 else float(np.sqrt(2.0))
            self.weights.append(self.parameters[start : start + fan_in * fan_out].reshape(fan_in, fan_out))
            self.weights[-1][:] = orthogonal(rng, fan_in, fan_out, gain)
            stop = start + (fan_in + 1) * fan_out
            self.biases.append(self.parameters[stop - fan_out : stop])
            self.matrices.append(self.parameters[start:stop].reshape(fan_in + 1, fan_out))
            self.matrix_gradients.append(self.gradient[start:stop].reshape(fan_in + 1, fan_out))
            start = stop
        self.free: Float32 = self.parameters[start:]
        self.free_gradient: Float32 = self.gradient[start:]
        if free is not None:
            self.free[:] = free

    def numpy_forward(self, inputs: Float32) -> Float32:
        """Return outputs (B, O) for inputs (B, I), without gradient."""
        return mlp_forward(inputs, self.weights, self.biases)

    def load_parameters(self, parameters: Float32) -> None:
        """Copy flat parameters (P,) in.

        Raises:
            CheckpointError: they are of a network of another size.
        """
        if parameters.shape != self.parameters.shape:
            raise CheckpointError(
                f"the checkpoint holds a network of {parameters.size} parameters, this one has "
                f"{self.parameters.size}; use the configuration and task it was saved with."
            )
        self.parameters[:] = parameters
