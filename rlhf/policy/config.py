"""Hyperparameters of PPO, apart from the algorithm so that reading them needs no torch."""

import dataclasses
from typing import Any, Literal, get_args

Update = Literal["all", "adapters+head", "head", "last-block", "low-rank"]
"""Which parameters of a policy learn."""
UPDATES: tuple[Update, ...] = get_args(Update)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Hyperparameters of PPO. The defaults suit continuous control; tasks carry their own overrides."""

    num_steps: int = 256
    """Steps per environment in a rollout. More: less noisy updates, but fewer of them. 32 to 2048."""
    num_epochs: int = 10
    """Passes over each rollout. More: better use of the data, policy moves further per rollout. 3 to 20."""
    minibatch_size: int = 256
    """Samples per gradient step; a rollout is cut into equal minibatches of about this size. 64 to 1024."""
    learning_rate: float = 3e-4
    """Adam's step size for actor and critic at the start. 1e-4 to 1e-3."""
    final_learning_rate_factor: float = 0.1
    """The learning rate falls linearly to this share of its start at progress 1; 1 keeps it constant."""
    discount: float = 0.99
    """Gamma in [0, 1): about 1 / (1 - gamma) steps are looked ahead. .9 to .999."""
    gae_lambda: float = 0.95
    """Lambda in [0, 1]. Less: trust the critic more (bias); more: trust the sampled returns more (noise)."""
    clip_range: float = 0.2
    """Probability ratios beyond 1 +- this earn no further gain. .1 to .3."""
    entropy_coef: float = 0.0
    """Reward for spread. More: keeps exploring, e.g. while the reward still changes. 0 to .02."""
    max_grad_norm: float = 0.5
    """Bound of each network's gradient norm."""
    target_kl: float | None = 0.02
    """The policy stops learning from a rollout after an epoch of more mean KL than this; None: never."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers, of the actor and of the critic."""
    initial_log_std: float = -0.5
    """Log of the first action spread (continuous actions reach from -1 to 1). -2 to 0."""
    observation_clip: float = 10.0
    """Normalised observations are clipped to +- this many standard deviations."""
    return_scale_rate: float = 0.1
    """Weight of a new rollout in the running scale of returns, once there have been 1 / rate of them."""
    update: Update = "all"
    """Which parameters of the actor learn, for policies that start from another one: ``head`` (the last
    layer), ``adapters+head`` (also the first), ``last-block`` (the last hidden layer and the head),
    ``low-rank`` (the head, and a change of rank 4 to the others) or ``all``. The rest stays as it is. The
    critic always learns whole: what it cannot say about returns becomes noise in the advantages."""
    reference_kl: float = 0.0
    """Weight of the KL from the policy that it started from, demonstrations imitated or another run's, at the
    start: against forgetting what that could do while the critic still learns. It falls linearly to 0.
    0 holds it to nothing, but after imitation see ``demonstrations.hold``; .03 to .3."""
    reference_share: float = 0.3
    """Share of the run after which it has fallen to 0. .1 to 1."""
    critic_refit_epochs: int = 20
    """Critic-only passes over the relabelled rollouts when the reward has changed."""
    critic_refit_interval: int = 5
    """Epochs of a refit after which its targets are computed anew with the improved critic."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in (
            "num_steps",
            "num_epochs",
            "minibatch_size",
            "critic_refit_epochs",
            "critic_refit_interval",
        ):
            _require(name, getattr(self, name), getattr(self, name) >= 1, ">= 1")
        for name in ("learning_rate", "clip_range", "max_grad_norm", "observation_clip"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "> 0")
        _require(
            "discount", self.discount, 0 <= self.discount < 1, "in [0, 1), as absorbing states last for ever"
        )
        for name in ("gae_lambda", "final_learning_rate_factor"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "in [0, 1]")
        _require("return_scale_rate", self.return_scale_rate, 0 < self.return_scale_rate <= 1, "in (0, 1]")
        for name in ("entropy_coef", "reference_kl"):
            _require(name, getattr(self, name), getattr(self, name) >= 0, ">= 0")
        _require("reference_share", self.reference_share, 0 < self.reference_share <= 1, "in (0, 1]")
        _require("target_kl", self.target_kl, self.target_kl is None or self.target_kl > 0, "> 0 or none")
        _require(
            "hidden", self.hidden, bool(self.hidden) and min(self.hidden) >= 1, "one or more widths >= 1"
        )


def _require(name: str, value: Any, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {allowed}.")
