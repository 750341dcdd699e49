"""Which parameters of a network learn: all, some layers, or a low-rank change of the layers.

The first layer is a task's input adapter, a linear map from its observations to the width behind it; the last
one is its head. What lies between is the trunk, the only part that policies of unlike tasks can share.
"""

import itertools
from typing import Any, Protocol

import numpy as np

from rlhf.errors import CheckpointError, ConfigError
from rlhf.policy.config import Update
from rlhf.policy.networks import Network
from rlhf.types.experience import Float32

RANK = 4
"""Of the change that ``low-rank`` adds to each layer but the head."""


class Learned(Protocol):
    """What an optimiser moves, and how a network follows it. The free parameters always learn."""

    parameters: Float32
    """Flat; the optimiser changes it in place."""
    gradient: Float32
    """Of the same length, filled by ``pull``."""

    def pull(self) -> None:
        """Read the network's gradient."""

    def push(self) -> None:
        """Write what was moved to the network."""

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs beside the network's parameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``, once the network has its parameters."""


def learned_part(network: Network, update: Update, rng: np.random.Generator) -> Learned:
    """Return what of a network is to learn.

    Args:
        network: whose parameters are moved.
        update: which of them.
        rng: draws the first directions of ``low-rank``; not used otherwise.
    """
    if update == "low-rank":
        return _LowRank(network, rng)
    return _Layers(network, learning_layers(update, len(network.matrices)))


def learning_layers(update: Update, num_layers: int) -> set[int]:
    """Return the layers whose own parameters learn; with ``low-rank`` the head, as the rest gets a change."""
    last = num_layers - 1
    parts = {"head": {last}, "low-rank": {last}, "adapters+head": {0, last}, "last-block": {last - 1, last}}
    return parts.get(update, set(range(num_layers)))


def check_update(update: Update, num_layers: int, source_dim: int, target_dim: int) -> None:
    """Check that the first layer is not both new and frozen. The last one always learns.

    Args:
        update: which parameters of the target learn.
        num_layers: of the network.
        source_dim: numbers that the source observes; with as many the first layer is taken over.
        target_dim: numbers that the target observes.

    Raises:
        ConfigError: it would be: the target could never make sense of what it observes.
    """
    if source_dim != target_dim and 0 not in learning_layers(update, num_layers):
        raise ConfigError(
            f"update {update!r} leaves the first layer as it is, but that layer would be new: the source "
            f"observes {source_dim} numbers, the target {target_dim}. Use 'adapters+head' or 'all'."
        )


def count_learned(widths: tuple[int, ...], num_free: int, update: Update) -> tuple[int, int]:
    """Return how many parameters learn and how many the network has.

    With ``low-rank`` those that are learned lie beside the network's and are added to it.

    Args:
        widths: from input to output.
        num_free: free parameters behind the layers.
        update: which parameters learn.
    """
    shapes = [(rows + 1, columns) for rows, columns in itertools.pairwise(widths)]
    learning = learning_layers(update, len(shapes))
    learned = num_free + sum(shapes[layer][0] * shapes[layer][1] for layer in learning)
    if update == "low-rank":
        learned += sum(_rank(shape) * sum(shape) for shape in shapes[:-1])
    return learned, num_free + sum(rows * columns for rows, columns in shapes)


def with_actor(state: dict[str, Any], parameters: Float32) -> dict[str, Any]:
    """Return the state of a PPO whose actor starts from these parameters, (P,)."""
    changed = state | {"actor.parameters": parameters}
    if "actor.base" in state:
        changed["actor.base"] = parameters.copy()
    return changed


class _Layers:
    """Some layers of a network. The others have gradient zero, which Adam's steps leave bit for bit alone."""

    def __init__(self, network: Network, layers: set[int]) -> None:
        self.parameters, self.gradient = network.parameters, network.gradient
        self._frozen = [gradient for i, gradient in enumerate(network.matrix_gradients) if i not in layers]

    def pull(self) -> None:
        for gradient in self._frozen:
            gradient.fill(0.0)

    def push(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class _LowRank:
    """Every layer but the head is base + down @ up, and only the thin matrices learn; the head learns whole.

    ``up`` starts at zero, so that the network starts as it was. The chain rule gives the thin gradients from
    those of the layer, so nothing else has to know.

    Source: https://arxiv.org/abs/2106.09685 sec. 4.1. Differs: biases count as a row of their layer.
    """

    def __init__(self, network: Network, rng: np.random.Generator) -> None:
        hidden = [matrix.shape for matrix in network.matrices[:-1]]
        sizes = [_rank(shape) * sum(shape) for shape in hidden]
        self._num_tail = network.matrices[-1].size + len(network.free)
        self.parameters: Float32 = np.zeros(sum(sizes) + self._num_tail, np.float32)
        self.gradient: Float32 = np.zeros_like(self.parameters)
        self._network, self._base = network, network.parameters.copy()
        self._down, self._up = _thin(self.parameters, hidden)
        self._down_gradient, self._up_gradient = _thin(self.gradient, hidden)
        for down in self._down:
            down[:] = rng.standard_normal(down.shape) / np.sqrt(len(down))
        self._start()

    def pull(self) -> None:
        for layer, gradient in enumerate(self._network.matrix_gradients[:-1]):
            np.dot(gradient, self._up[layer].T, out=self._down_gradient[layer])
            np.dot(self._down[layer].T, gradient, out=self._up_gradient[layer])
        self.gradient[-self._num_tail :] = self._network.gradient[-self._num_tail :]

    def push(self) -> None:
        start = 0
        for matrix, down, up in zip(self._network.matrices, self._down, self._up, strict=False):
            base = self._base[start : start + matrix.size].reshape(matrix.shape)
            np.add(base, np.dot(down, up), out=matrix)
            start += matrix.size
        self._network.parameters[-self._num_tail :] = self.parameters[-self._num_tail :]

    def state_dict(self) -> dict[str, Any]:
        return {"base": self._base.copy(), "thin": self.parameters[: -self._num_tail].copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["base"].shape != self._base.shape:
            raise CheckpointError(
                f"the checkpoint changes a network of {state['base'].size} parameters, this one has "
                f"{self._base.size}; use the configuration and task it was saved with."
            )
        self._base[:] = state["base"]
        self.parameters[: -self._num_tail] = state["thin"]
        self._start()

    def _start(self) -> None:
        self.parameters[-self._num_tail :] = self._network.parameters[-self._num_tail :]


def _rank(shape: tuple[int, ...]) -> int:
    return min(RANK, *shape)


def _thin(flat: Float32, shapes: list[tuple[int, ...]]) -> tuple[list[Float32], list[Float32]]:
    """Return views of the thin matrices (rows, r) and (r, columns) of each layer."""
    down, up, start = [], [], 0
    for rows, columns in shapes:
        rank = _rank((rows, columns))
        middle, stop = start + rows * rank, start + (rows + columns) * rank
        down.append(flat[start:middle].reshape(rows, rank))
        up.append(flat[middle:stop].reshape(rank, columns))
        start = stop
    return down, up
