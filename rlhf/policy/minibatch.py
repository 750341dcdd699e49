"""One optimisation step on one minibatch: loss, gradient, norm clipping, Adam.

The only place that computes gradients; PPO hands over numpy arrays and reads numbers back, so another way
to differentiate the same losses fits behind the same two methods.
"""

import dataclasses
from typing import Any

import numpy as np
import torch

from rlhf.policy.adam import Adam, clip_norm
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
from rlhf.types.task import ActionSpace

_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyStep:
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


def gaussian_log_probs(mean: torch.Tensor, log_std: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return log N(actions; mean, exp(log_std)^2) summed over the action's entries, (B,)."""
    scaled = (actions - mean) * torch.exp(-log_std)
    return -0.5 * (scaled * scaled).sum(dim=1) - log_std.sum() - 0.5 * _LOG_2PI * mean.shape[1]


def clipped_surrogate(ratios: torch.Tensor, advantages: torch.Tensor, clip_range: float) -> torch.Tensor:
    """Return the loss -mean(min(ratio * A, clip(ratio, 1 - eps, 1 + eps) * A)).

    Source: https://arxiv.org/abs/1707.06347 eq. 7, as a loss.
    """
    clipped = torch.clamp(ratios, 1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratios * advantages, clipped * advantages).mean()


class MinibatchLearner:
    """Moves an actor and a critic, each with its own Adam, by one minibatch at a time.

    Two optimisers rather than one: neither loss then needs a weight against the other, and the critic's
    moments can be forgotten when the reward changes.
    """

    def __init__(self, actor: Network, critic: Network, action_space: ActionSpace) -> None:
        self._actor, self._critic = actor, critic
        self._is_continuous = action_space.kind == "continuous"
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
        outputs = self._actor.forward(torch.from_numpy(inputs))
        new_log_probs, entropy = self._log_probs_and_entropy(outputs, torch.from_numpy(actions))
        log_ratios = new_log_probs - torch.from_numpy(log_probs)
        ratios = torch.exp(log_ratios)
        surrogate = clipped_surrogate(ratios, torch.from_numpy(advantages), clip_range)
        self._actor.gradient.fill(0.0)
        (surrogate - entropy_coef * entropy).backward()  # type: ignore[no-untyped-call]
        grad_norm = clip_norm(self._actor.gradient, max_grad_norm)
        shown_ratios, shown_log_ratios = ratios.detach().numpy(), log_ratios.detach().numpy()
        self.actor_adam.step(self._actor.parameters, self._actor.gradient, learning_rate)
        return PolicyStep(
            loss=surrogate.item(),
            entropy=entropy.item(),
            approx_kl=float(np.mean(shown_ratios - 1.0 - shown_log_ratios)),
            clip_fraction=float(np.mean(np.abs(shown_ratios - 1.0) > clip_range)),
            grad_norm=grad_norm,
        )

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
        errors = self._critic.forward(torch.from_numpy(inputs)).squeeze(1) - torch.from_numpy(targets)
        loss = (errors * errors).mean()
        self._critic.gradient.fill(0.0)
        (0.5 * loss).backward()  # type: ignore[no-untyped-call]
        clip_norm(self._critic.gradient, max_grad_norm)
        self.critic_adam.step(self._critic.parameters, self._critic.gradient, learning_rate)
        return loss.item()

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
            adam.load_state_dict(
                {key: state[f"{name}.adam_{key}"] for key in ("mean", "square", "num_steps")}
            )

    def _parts(self) -> tuple[tuple[str, Network, Adam], ...]:
        return ("actor", self._actor, self.actor_adam), ("critic", self._critic, self.critic_adam)

    def _log_probs_and_entropy(
        self, outputs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities (B,) and the mean entropy, a scalar."""
        if self._is_continuous:
            log_std = self._actor.free_tensor
            entropy = log_std.sum() + 0.5 * (1.0 + _LOG_2PI) * outputs.shape[1]
            return gaussian_log_probs(outputs, log_std, actions), entropy
        log_probs = torch.log_softmax(outputs, dim=1)
        entropy = -(torch.exp(log_probs) * log_probs).sum(dim=1).mean()
        return log_probs.gather(1, actions.unsqueeze(1)).squeeze(1), entropy
