"""What an update of a policy, and a refit of its critic, report."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyStats:
    """What one update did; means are over the update's minibatches, measured before each step."""

    policy_loss: float
    """Mean clipped surrogate, without the entropy term."""
    value_loss: float
    """Mean squared error of the critic in units of the return's variance."""
    entropy: float
    """Mean entropy of the policy, nats."""
    approx_kl: float
    """Mean KL from the policy that acted, estimated as (ratio - 1) - log ratio."""
    clip_fraction: float
    """Mean share of samples whose ratio left the clip range."""
    explained_variance: float
    """Of the lambda-returns by the critic as it was before the update; 1 is perfect."""
    learning_rate: float
    """Used in this update."""
    num_epochs: float
    """Passes of the policy over the rollout before ``target_kl`` stopped it."""
    grad_norm: float
    """Mean norm of the actor's gradient before clipping."""
    reference_kl: float
    """Mean KL from the policy that it is held to, nats; 0 if it is held to none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CriticStats:
    """What a refit did. Both variances are of the new reward's lambda-returns under the refitted critic."""

    explained_variance_before: float
    """By the critic of the old reward."""
    explained_variance_after: float
    """By the refitted critic; below .3 the advantages to come will be mostly noise."""
    value_loss: float
    """Mean squared error of the last epoch in units of the return's variance."""
