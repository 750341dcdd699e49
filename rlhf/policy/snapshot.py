"""What is needed to act and nothing else: actor weights, observation scale, version. Pure numpy, no torch.

The learner acts through the same class, over arrays that it goes on changing; other processes rebuild a
frozen copy from ``to_arrays``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.errors import CheckpointError
from rlhf.policy.normalise import normalise
from rlhf.types.experience import Actions, Float32, Int64
from rlhf.types.task import ActionSpace

_LOG_2PI = float(np.log(2.0 * np.pi))


def mlp_forward(inputs: Float32, weights: Sequence[Float32], biases: Sequence[Float32]) -> Float32:
    """Return the output (B, O) of a tanh network with a linear last layer.

    Args:
        inputs: (B, I).
        weights: one (fan_in, fan_out) matrix per layer.
        biases: one (fan_out,) vector per layer.
    """
    hidden = inputs
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        hidden = np.dot(hidden, weight)  # for few rows it takes half the time of @
        hidden += bias
        np.tanh(hidden, out=hidden)
    output: Float32 = np.dot(hidden, weights[-1])
    output += biases[-1]
    return output


class PolicySnapshot:
    """A policy that acts: Gaussian with state-independent spread, or categorical.

    Args:
        weights: actor weights, one (fan_in, fan_out) per layer; kept, not copied.
        biases: actor biases; kept, not copied.
        log_std: (A,) for continuous actions, else None; kept, not copied.
        observation_shift: (D,), see ``normalise``; kept, not copied.
        observation_scale: (D,); kept, not copied.
        observation_clip: bound of normalised observations.
        version: number of updates behind these weights.
        action_space: kind and size of the actions.

    Raises:
        CheckpointError: the arrays do not fit each other or the action space.
    """

    def __init__(
        self,
        *,
        weights: Sequence[Float32],
        biases: Sequence[Float32],
        log_std: Float32 | None,
        observation_shift: Float32,
        observation_scale: Float32,
        observation_clip: float,
        version: int,
        action_space: ActionSpace,
    ) -> None:
        is_continuous = action_space.kind == "continuous"
        if (log_std is not None) != is_continuous or len(biases[-1]) != action_space.size:
            raise CheckpointError(
                f"the policy has {len(biases[-1])} outputs and {'a' if log_std is not None else 'no'} "
                f"log_std; it does not fit a {action_space.kind} action space of size {action_space.size}. "
                "Use a snapshot that was made for this task."
            )
        self.version = version
        self.action_space = action_space
        self._weights, self._biases, self._log_std = list(weights), list(biases), log_std
        self._shift, self._scale, self._clip = observation_shift, observation_scale, observation_clip

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return unclipped actions and their log-probabilities for raw observations.

        Args:
            observations: raw, float32 (N, D).
            rng: source of the action noise; not used when ``deterministic``.
            deterministic: take the mean (continuous) or the most likely action (discrete).

        Returns:
            Actions, float32 (N, A) or int64 (N,), and log-probabilities, float32 (N,).

        Raises:
            ShapeError: ``observations`` is not (N, D).
        """
        outputs = self.outputs(observations)
        if self._log_std is not None:
            return _gaussian(outputs, self._log_std, None if deterministic else rng)
        return _categorical(outputs, None if deterministic else rng)

    def outputs(self, observations: Float32) -> Float32:
        """Return the means (continuous) or logits (discrete) for raw observations (N, D), (N, A).

        Raises:
            ShapeError: ``observations`` is not (N, D).
        """
        check_shape("observations", observations, (None, len(self._shift)))
        inputs = normalise(observations, self._shift, self._scale, self._clip)
        return mlp_forward(inputs, self._weights, self._biases)

    def log_probs(self, observations: Float32, actions: Actions) -> Float32:
        """Return the log-probabilities (N,) of actions (N, A) or (N,) for raw observations (N, D).

        Raises:
            ShapeError: ``observations`` is not (N, D).
        """
        outputs = self.outputs(observations)
        log_probs: Float32
        if self._log_std is None:
            log_probs = _log_softmax(outputs)[0][np.arange(len(actions)), actions]
        else:
            noise = (actions - outputs) * np.exp(-self._log_std)
            log_probs = _gaussian_constant(self._log_std) - np.float32(0.5) * np.square(noise).sum(axis=1)
        return log_probs

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return a copy as named arrays for an npz file; the inverse of ``from_arrays``."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "version": np.array(self.version, np.int64),
            "observation_shift": self._shift.copy(),
            "observation_scale": self._scale.copy(),
            "observation_clip": np.array(self._clip, np.float64),
        }
        for layer, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            arrays[f"weight_{layer}"], arrays[f"bias_{layer}"] = weight.copy(), bias.copy()
        if self._log_std is not None:
            arrays["log_std"] = self._log_std.copy()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], action_space: ActionSpace) -> "PolicySnapshot":
        """Rebuild a policy from ``to_arrays``.

        Raises:
            CheckpointError: an array is missing, or they do not fit ``action_space``.
        """
        num_layers = sum(name.startswith("weight_") for name in arrays)
        try:
            return cls(
                weights=[arrays[f"weight_{layer}"] for layer in range(num_layers)],
                biases=[arrays[f"bias_{layer}"] for layer in range(num_layers)],
                log_std=arrays.get("log_std"),
                observation_shift=arrays["observation_shift"],
                observation_scale=arrays["observation_scale"],
                observation_clip=float(arrays["observation_clip"]),
                version=int(arrays["version"]),
                action_space=action_space,
            )
        except (KeyError, IndexError) as error:
            raise CheckpointError(
                f"the policy snapshot lacks {error}; it holds {', '.join(sorted(arrays))}."
            ) from error


def _gaussian_constant(log_std: Float32) -> float:
    """Return the log-density of a Gaussian at its mean."""
    return -float(np.add.reduce(log_std)) - 0.5 * _LOG_2PI * len(log_std)


def _gaussian(mean: Float32, log_std: Float32, rng: np.random.Generator | None) -> tuple[Float32, Float32]:
    constant = _gaussian_constant(log_std)
    if rng is None:
        return mean, np.full(len(mean), constant, np.float32)
    noise: Float32 = rng.standard_normal(mean.shape, dtype=np.float32)
    log_probs: Float32 = np.einsum("na,na->n", noise, noise)
    log_probs *= -0.5
    log_probs += constant
    noise *= np.exp(log_std)
    noise += mean
    return noise, log_probs


def _log_softmax(logits: Float32) -> tuple[Float32, Float32, Float32]:
    """Return log-probabilities (N, A), and the weights (N, A) and totals (N, 1) that they are made of."""
    # The ufuncs' own ``reduce`` skips the wrappers of ``max`` and ``sum``, half of the time for few rows.
    log_probs = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    weights = np.exp(log_probs)
    totals = np.add.reduce(weights, axis=1, keepdims=True)
    log_probs -= np.log(totals)
    return log_probs, weights, totals


def _categorical(logits: Float32, rng: np.random.Generator | None) -> tuple[Int64, Float32]:
    log_probs, weights, totals = _log_softmax(logits)
    if rng is None:
        actions = log_probs.argmax(axis=1)
    else:
        thresholds = rng.random((len(logits), 1), dtype=np.float32) * totals
        # The last total is left out: a draw above all others, if only by rounding, is the last action.
        cumulative = np.add.accumulate(weights[:, :-1], axis=1)
        actions = np.add.reduce(cumulative < thresholds, axis=1, dtype=np.int64)
    return actions, log_probs[np.arange(len(actions)), actions]
