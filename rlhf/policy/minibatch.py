"""One optimisation step on one minibatch: loss, gradient, norm clipping, Adam.

PPO hands over numpy arrays and reads numbers back; how the gradients come about is chosen here, by size.
"""

from typing import Any, NamedTuple

from rlhf.policy.adam import Adam, clip_norm
from rlhf.policy.autograd import TorchGradients
from rlhf.policy.kernels import NumpyGradients
from rlhf.policy.losses import Gradients
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
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
    grad_norm: float
    """Norm of the gradient before clipping."""


class MinibatchLearner:
    """Moves an actor and a critic, each with its own Adam, by one minibatch at a time.

    Two optimisers rather than one: neither loss then needs a weight against the other, and the critic's
    moments can be forgotten when the reward changes.
    """

    def __init__(self, actor: Network, critic: Network, action_space: ActionSpace) -> None:
        self._actor, self._critic = actor, critic
        self._gradients = choose_gradients(actor, critic, action_space)
        self.actor_adam = Adam(len(actor.parameters))
        self.critic_adam = Adam(len(critic.parameters))

    def policy_step(
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
    ) -> PolicyStep:
        """Take one step on the clipped surrogate minus ``entropy_coef`` times the entropy.

        Args:
            inputs: normalised observations, (B, D).
            actions: unclipped, float32 (B, A) or int64 (B,).
            log_probs: of ``actions`` under the policy that acted, (B,).
            advantages: (B,), already normalised.
            learning_rate: Adam's.
            clip_range: eps of the surrogate.
            entropy_coef: weight of the entropy.
            max_grad_norm: bound of the gradient's norm.
        """
        shown = self._gradients.policy(
            inputs, actions, log_probs, advantages, clip_range=clip_range, entropy_coef=entropy_coef
        )
        grad_norm = clip_norm(self._actor.gradient, max_grad_norm)
        self.actor_adam.step(self._actor.parameters, self._actor.gradient, learning_rate)
        return PolicyStep(*shown, grad_norm)

    def value_step(
        self, inputs: Float32, targets: Float32, *, learning_rate: float, max_grad_norm: float
    ) -> float:
        """Take one step on half the mean squared error; return the mean squared error before it.

        Args:
            inputs: normalised observations, (B, D).
            targets: normalised returns, (B,).
            learning_rate: Adam's.
            max_grad_norm: bound of the gradient's norm.
        """
        loss = self._gradients.value(inputs, targets)
        clip_norm(self._critic.gradient, max_grad_norm)
        self.critic_adam.step(self._critic.parameters, self._critic.gradient, learning_rate)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters and moments of both networks, keys ``<network>.<part>``."""
        state: dict[str, Any] = {}
        for name, network, adam in self._parts():
            state[f"{name}.parameters"] = network.parameters.copy()
            state.update({f"{name}.adam_{key}": value for key, value in adam.state_dict().items()})
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``.

        Raises:
            CheckpointError: it is of networks of other sizes.
        """
        for name, network, adam in self._parts():
            network.load_parameters(state[f"{name}.parameters"])
            adam.load_state_dict({key: state[f"{name}.adam_{key}"] for key in adam.state_dict()})

    def _parts(self) -> tuple[tuple[str, Network, Adam], ...]:
        return ("actor", self._actor, self.actor_adam), ("critic", self._critic, self.critic_adam)


def choose_gradients(actor: Network, critic: Network, action_space: ActionSpace) -> Gradients:
    """Return the faster way to differentiate networks of this size."""
    widths = [matrix.shape[1] for network in (actor, critic) for matrix in network.matrices]
    way = NumpyGradients if max(widths) <= MAX_KERNEL_WIDTH else TorchGradients
    return way(actor, critic, action_space)
