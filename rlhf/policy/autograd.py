"""Losses and gradients by torch's automatic differentiation: for large networks, and to test the kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rlhf.policy.losses import LOG_2PI, PolicyLoss, Reference
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
from rlhf.types.task import ActionSpace


def gaussian_log_probs(mean: torch.Tensor, log_std: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return log N(actions; mean, exp(log_std)^2) summed over the action's entries, (B,)."""
    scaled = (actions - mean) * torch.exp(-log_std)
    return -0.5 * (scaled * scaled).sum(dim=1) - log_std.sum() - 0.5 * LOG_2PI * mean.shape[1]


def clipped_surrogate(ratios: torch.Tensor, advantages: torch.Tensor, clip_range: float) -> torch.Tensor:
    """Return the loss -mean(min(ratio * A, clip(ratio, 1 - eps, 1 + eps) * A)).

    Source: https://arxiv.org/abs/1707.06347 eq. 7, as a loss.
    """
    clipped = torch.clamp(ratios, 1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratios * advantages, clipped * advantages).mean()


class TorchNetwork:
    """A ``Network`` as torch sees it: a copy on a device, differentiable.

    Args:
        network: keeps the parameters, and gets the gradient.
        device: ``cpu`` or ``cuda``, which must be there.
    """

    def __init__(self, network: Network, device: str) -> None:
        self._network = network
        self._parameters = torch.zeros(len(network.parameters), device=device, requires_grad=True)
        self._shapes = [matrix.shape for matrix in network.matrices]

    def to_device(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """Return an array as a tensor where the network is."""
        return torch.from_numpy(array).to(self._parameters.device)

    def forward(self, inputs: Float32) -> torch.Tensor:
        """Return outputs (B, O) for inputs (B, I) by the network's present parameters."""
        with torch.no_grad():
            self._parameters.copy_(torch.from_numpy(self._network.parameters))
        hidden, start = self.to_device(inputs), 0
        for layer, (rows, columns) in enumerate(self._shapes):
            stop = start + rows * columns
            matrix = self._parameters[start:stop].view(rows, columns)
            hidden = torch.addmm(matrix[-1], hidden, matrix[:-1])
            if layer < len(self._shapes) - 1:
                hidden = torch.tanh(hidden)
            start = stop
        return hidden

    @property
    def free(self) -> torch.Tensor:
        """The free parameters, (F,), as of the last ``forward``."""
        return self._parameters[len(self._parameters) - len(self._network.free) :]

    def differentiate(self, loss: torch.Tensor) -> None:
        """Overwrite the network's gradient by that of ``loss``."""
        (gradient,) = torch.autograd.grad(loss, self._parameters)
        torch.from_numpy(self._network.gradient).copy_(gradient)


class TorchPolicyGradients:
    """``PolicyGradients`` by torch on a device, ``cpu`` or ``cuda``."""

    def __init__(self, actor: Network, action_space: ActionSpace, device: str = "cpu") -> None:
        self._actor = TorchNetwork(actor, device)
        self._is_continuous = action_space.kind == "continuous"

    def __call__(
        self,
        inputs: Float32,
        actions: Actions,
        log_probs: Float32,
        advantages: Float32,
        *,
        clip_range: float,
        entropy_coef: float,
        reference: Reference | None = None,
    ) -> PolicyLoss:
        """Overwrite the actor's gradient; see ``losses.PolicyGradients``."""
        to_device = self._actor.to_device
        outputs = self._actor.forward(inputs)
        new_log_probs, entropy = self._log_probs_and_entropy(outputs, to_device(actions))
        log_ratios = new_log_probs - to_device(log_probs)
        ratios = torch.exp(log_ratios)
        surrogate = clipped_surrogate(ratios, to_device(advantages), clip_range)
        loss, kl = surrogate - entropy_coef * entropy, torch.zeros(())
        if reference is not None:
            kl = self._divergence(outputs, reference)
            loss = loss + reference.weight * kl
        self._actor.differentiate(loss)
        shown_ratios, shown_log_ratios = ratios.detach().cpu().numpy(), log_ratios.detach().cpu().numpy()
        return PolicyLoss(
            loss=surrogate.item(),
            entropy=entropy.item(),
            approx_kl=float(np.mean(shown_ratios - 1.0 - shown_log_ratios)),
            clip_fraction=float(np.mean(np.abs(shown_ratios - 1.0) > clip_range)),
            reference_kl=kl.item(),
        )

    def _divergence(self, outputs: torch.Tensor, reference: Reference) -> torch.Tensor:
        """Return the mean KL from a reference, a scalar."""
        theirs, distributions = self._actor.to_device(reference.outputs), torch.distributions
        if self._is_continuous:
            assert reference.log_std is not None, "its actions are continuous too"
            own = distributions.Normal(outputs, torch.exp(self._actor.free))
            other = distributions.Normal(theirs, torch.exp(self._actor.to_device(reference.log_std)))
            divergences = distributions.kl_divergence(own, other).sum(dim=1)
        else:
            divergences = distributions.kl_divergence(
                distributions.Categorical(logits=outputs), distributions.Categorical(logits=theirs)
            )
        return divergences.mean()

    def _log_probs_and_entropy(
        self, outputs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities (B,) and the mean entropy, a scalar."""
        if self._is_continuous:
            log_std = self._actor.free
            entropy = log_std.sum() + 0.5 * (1.0 + LOG_2PI) * outputs.shape[1]
            return gaussian_log_probs(outputs, log_std, actions), entropy
        log_probs = torch.log_softmax(outputs, dim=1)
        entropy = -(torch.exp(log_probs) * log_probs).sum(dim=1).mean()
        return log_probs.gather(1, actions.unsqueeze(1)).squeeze(1), entropy


class TorchValueGradients:
    """``ValueGradients`` by torch on a device, ``cpu`` or ``cuda``."""

    def __init__(self, critic: Network, device: str = "cpu") -> None:
        self._critic = TorchNetwork(critic, device)

    def __call__(self, inputs: Float32, targets: Float32) -> float:
        """Overwrite the critic's gradient; see ``losses.ValueGradients``."""
        errors = self._critic.forward(inputs).squeeze(1) - self._critic.to_device(targets)
        loss = (errors * errors).mean()
        self._critic.differentiate(0.5 * loss)
        return loss.item()
