"""One optimisation step on one minibatch: loss, gradient, norm clipping, Adam.

PPO hands over numpy arrays and reads numbers back; how the gradients come about is chosen here, by size.
Actor and critic have an optimiser each: neither loss then needs a weight against the other, the critic's
moments can be forgotten when the reward changes, and the two can be fitted at the same time.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rlhf.policy.adam import Adam, clip_norm
from rlhf.policy.kernels import NumpyPolicyGradients, NumpyValueGradients
from rlhf.policy.losses import PolicyGradients, Reference, ValueGradients
from rlhf.policy.networks import Network
from rlhf.policy.partial import Learned, learned_part
from rlhf.types.experience import Actions, Float32, Int64
from rlhf.types.task import ActionSpace

MAX_KERNEL_WIDTH = 1024
"""Widest layer the numpy kernels were measured with. On one thread they are 7 times as fast as torch at
64 x 64 and 1.2 times at 1024 x 1024, where only the arithmetic counts."""


class PolicyStep(NamedTuple):
    """What one minibatch showed, measured before the step."""

    loss: float
    """Clipped surrogate, without the entropy term."""
    entropy: float
    """Mean entropy of the policy, nats."""
    approx_kl: float
    """Mean of (ratio - 1) - log ratio, >= 0."""
    clip_fraction: float
    """Share of samples whose ratio lies outside the clip range."""
    reference_kl: float
    """Mean KL from the policy that it is held to, nats; 0 if it is held to none."""
    grad_norm: float
    """Norm of the gradient before clipping."""


def num_minibatches(size: int, minibatch_size: int) -> int:
    """Return into how many minibatches of about ``minibatch_size`` samples ``size`` of them are cut."""
    return max(1, round(size / minibatch_size))


def minibatches(
    order: Int64, minibatch_size: int, *arrays: npt.NDArray[Any]
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Yield the same slices of all ``arrays`` in the given order, of sizes that differ by at most one.

    Args:
        order: indices, (B,).
        minibatch_size: about so many samples each.
        arrays: (B, ...) each.
    """
    shuffled = [array[order] for array in arrays]  # gathered once: the slices then cost nothing
    bounds = np.linspace(0, len(order), num_minibatches(len(order), minibatch_size) + 1).astype(int)
    for start, stop in itertools.pairwise(bounds):
        yield tuple(array[start:stop] for array in shuffled)


class ActorLearner:
    """Moves an actor by one minibatch at a time.

    Args:
        actor: the network that is moved.
        action_space: kind and size of the actions.
        device: where it is differentiated, ``cpu`` or ``cuda``.
        learned: which of its parameters learn; None: all.
    """

    def __init__(
        self,
        actor: Network,
        action_space: ActionSpace,
        device: str = "cpu",
        learned: Learned | None = None,
    ) -> None:
        self._actor = actor
        self._gradients = _policy_gradients(actor, action_space, device)
        self._learned = learned or learned_part(actor, "all", np.random.default_rng(0))
        self._adam = Adam(len(self._learned.parameters))

    def step(
        self,
        inputs: Float32,
        actions: Actions,
        log_probs: Float32,
        advantages: Float32,
        *,
        learning_rate: float,
        clip_range: float,
        entropy_coef: float,
        max_grad_norm: float,
        reference: Reference | None = None,
    ) -> PolicyStep:
        """Take one step on the loss of ``losses.PolicyGradients``.

        Args:
            inputs: normalised observations, (B, D).
            actions: unclipped, float32 (B, A) or int64 (B,).
            log_probs: of ``actions`` under the policy that acted, (B,).
            advantages: (B,), already normalised.
            learning_rate: Adam's.
            clip_range: eps of the surrogate.
            entropy_coef: weight of the entropy.
            max_grad_norm: bound of the gradient's norm.
            reference: what the policy is held to, if it is.
        """
        shown = self._gradients(
            inputs,
            actions,
            log_probs,
            advantages,
            clip_range=clip_range,
            entropy_coef=entropy_coef,
            reference=reference,
        )
        learned = self._learned
        learned.pull()
        grad_norm = clip_norm(learned.gradient, max_grad_norm)
        self._adam.step(learned.parameters, learned.gradient, learning_rate)
        learned.push()
        return PolicyStep(*shown, grad_norm)

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the parameters, the optimiser's moments and what is learned beside them."""
        return _state(self._actor, self._adam) | self._learned.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``; raises CheckpointError for a network of another size."""
        _load(self._actor, self._adam, state)
        self._learned.load_state_dict(state)


class CriticLearner:
    """Fits a critic to targets; differentiates it on ``device``, ``cpu`` or ``cuda``."""

    def __init__(self, critic: Network, device: str = "cpu") -> None:
        self._critic = critic
        self._gradients = _value_gradients(critic, device)
        self._adam = Adam(len(critic.parameters))

    def fit(
        self,
        inputs: Float32,
        targets: Float32,
        orders: Sequence[Int64],
        *,
        minibatch_size: int,
        learning_rate: float,
        max_grad_norm: float,
    ) -> list[float]:
        """Take steps on half the mean squared error; return the mean squared errors before them.

        Args:
            inputs: normalised observations, (B, D).
            targets: normalised returns, (B,).
            orders: of the samples in each epoch, (B,) each.
            minibatch_size: about so many samples a step.
            learning_rate: Adam's.
            max_grad_norm: bound of the gradient's norm.
        """
        losses: list[float] = []
        for order in orders:
            for batch_inputs, batch_targets in minibatches(order, minibatch_size, inputs, targets):
                losses.append(self._gradients(batch_inputs, batch_targets))
                clip_norm(self._critic.gradient, max_grad_norm)
                self._adam.step(self._critic.parameters, self._critic.gradient, learning_rate)
        return losses

    def forget_moments(self) -> None:
        """Start the optimiser afresh, as for a loss that has become another one."""
        self._adam.reset()

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the parameters and the optimiser's moments."""
        return _state(self._critic, self._adam)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``; raises CheckpointError for a network of another size."""
        _load(self._critic, self._adam, state)


class CriticBeside:
    """A critic's learner in a companion process: takes a learner's state and returns the fitted one."""

    def __init__(self, sizes: Sequence[int]) -> None:
        network = Network(sizes, np.random.default_rng(0), last_gain=1.0)  # overwritten before every fit
        self._learner = CriticLearner(network)

    def fit(
        self, state: dict[str, Any], arrays: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[dict[str, Any], list[float]]:
        """Return (state afterwards, losses); see ``CriticLearner.fit``."""
        self._learner.load_state_dict(state)
        losses = self._learner.fit(*arrays, **settings)
        return self._learner.state_dict(), losses


def uses_kernels(network: Network, device: str = "cpu") -> bool:
    """Return whether the numpy kernels differentiate a network: on the processor they are the faster way."""
    return device == "cpu" and bool(max(m.shape[1] for m in network.matrices) <= MAX_KERNEL_WIDTH)


def _policy_gradients(actor: Network, action_space: ActionSpace, device: str) -> PolicyGradients:
    if uses_kernels(actor, device):
        return NumpyPolicyGradients(actor, action_space)
    from rlhf.policy.autograd import TorchPolicyGradients  # here, so that small networks do without torch

    return TorchPolicyGradients(actor, action_space, device)


def _value_gradients(critic: Network, device: str) -> ValueGradients:
    if uses_kernels(critic, device):
        return NumpyValueGradients(critic)
    from rlhf.policy.autograd import TorchValueGradients

    return TorchValueGradients(critic, device)


def _state(network: Network, adam: Adam) -> dict[str, Any]:
    moments = {f"adam_{key}": value for key, value in adam.state_dict().items()}
    return {"parameters": network.parameters.copy(), **moments}


def _load(network: Network, adam: Adam, state: dict[str, Any]) -> None:
    network.load_parameters(state["parameters"])
    adam.load_state_dict({key: state[f"adam_{key}"] for key in adam.state_dict()})
