"""What the two ways of differentiating PPO's losses have in common."""

from typing import NamedTuple, Protocol

import numpy as np

from rlhf.types.experience import Actions, Float32

LOG_2PI = float(np.log(2.0 * np.pi))


class PolicyLoss(NamedTuple):
    """What one minibatch showed."""

    loss: float
    """Clipped surrogate, without the entropy term."""
    entropy: float
    """Mean entropy of the policy, nats."""
    approx_kl: float
    """Mean of (ratio - 1) - log ratio, >= 0."""
    clip_fraction: float
    """Share of samples whose ratio lies outside the clip range."""
    reference_kl: float = 0.0
    """Mean KL from the policy that it is held to, nats; 0 if it is held to none."""


class Reference(NamedTuple):
    """Another policy that this one is held to, at the same B samples."""

    outputs: Float32
    """(B, A), its means, or its log-probabilities of all actions where they are discrete."""
    log_std: Float32 | None
    """(A,), of its continuous actions."""
    weight: float
    """Of the divergence in the loss."""


class PolicyGradients(Protocol):
    """Computes the loss of an actor and writes its flat gradient."""

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
        """Overwrite the actor's gradient by that of the clipped surrogate minus weighted entropy.

            -mean(min(ratio * A, clip(ratio, 1 - eps, 1 + eps) * A)) - entropy_coef * entropy
            + reference.weight * mean(KL(policy || reference))

        Args:
            inputs: normalised observations, (B, D).
            actions: unclipped, float32 (B, A) or int64 (B,).
            log_probs: of ``actions`` under the policy that acted, (B,).
            advantages: (B,), already normalised.
            clip_range: eps of the surrogate.
            entropy_coef: weight of the entropy.
            reference: what the policy is held to, if it is; the divergence is exact, not estimated.

        Source: https://arxiv.org/abs/1707.06347 eq. 7, as a loss.
        """


class ValueGradients(Protocol):
    """Computes the loss of a critic and writes its flat gradient."""

    def __call__(self, inputs: Float32, targets: Float32) -> float:
        """Overwrite the critic's gradient by that of half the mean squared error; return that error.

        Args:
            inputs: normalised observations, (B, D).
            targets: normalised returns, (B,).
        """
