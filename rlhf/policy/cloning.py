"""Behaviour cloning: from recorded observations and actions to a policy that acts alike.

Maximum likelihood, by PPO's gradient with the same advantage for every action: at the policy that is being
fitted, the gradient of the surrogate is that of the log-likelihood. How long to learn, and how fast, is said
by whole episodes that were held out, because neighbouring steps of one episode are nearly copies. Pure: knows
nothing of rewards, runs or where episodes come from.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.policy.losses import LOG_2PI
from rlhf.policy.minibatch import ActorLearner, minibatches
from rlhf.policy.networks import Network
from rlhf.policy.normalise import ObservationNormaliser
from rlhf.tuning import TransferTuner, Tuned
from rlhf.types.experience import Actions, Bool, Float32, Float64
from rlhf.types.task import ActionSpace

Shown = tuple[Float32, Actions]
"""Observations (T, D) of one episode and the action taken at each, float32 (T, A) or int64 (T,)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CloneConfig:
    """How demonstrations are imitated."""

    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Adam's step sizes that are tried; the one that foresees held-out episodes best is used."""
    weight_decays: tuple[float, ...] = ()
    """Decoupled decays that are tried beside none: per step the weights shrink by learning rate times decay.
    .1 to 1. None by default, nor any noise: on the Lander held-out steps became likelier with either, and
    returns no better."""
    noises: tuple[float, ...] = ()
    """Augmentation that is tried beside none: new noise of this spread on every observation in every pass, in
    standard deviations of what was shown. .03 to .3."""
    max_epochs: int = 100
    """Passes over the steps at most."""
    patience: int = 10
    """Passes without a better likelihood of held-out episodes after which no more are tried."""
    max_folds: int = 5
    """Parts that the episodes are divided into; each is held out once."""
    minibatch_size: int = 64
    """Steps per gradient step, at least."""
    max_minibatches: int = 16
    """Gradient steps in one pass, at most: of many steps more go into each."""
    min_log_std: float = -1.5
    """Continuous actions keep at least this spread: less and PPO could not try anything else afterwards."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise ValueError(f"learning_rates is {self.learning_rates}; give one or more above 0.")
        if min((*self.weight_decays, *self.noises), default=1.0) <= 0:
            raise ValueError(
                f"weight_decays is {self.weight_decays} and noises {self.noises}; give numbers above 0, as "
                "without is always tried."
            )
        at_least = {"max_epochs": 1, "patience": 1, "max_folds": 2, "minibatch_size": 1, "max_minibatches": 1}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """How an imitator moves."""

    learning_rate: float
    weight_decay: float = 0.0
    noise: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class CloneReport:
    """How the imitation went."""

    num_episodes: int
    num_steps: int
    learning_rate: float
    weight_decay: float
    noise: float
    epochs: int
    held_out_nll: float
    """Mean negative log-likelihood of the actions of episodes that were not learned from, nats per step."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clone:
    """A policy that imitates."""

    actor: Network
    observations: ObservationNormaliser
    """The scale of the observations that were shown."""
    report: CloneReport


def clone(
    episodes: Sequence[Shown],
    action_space: ActionSpace,
    *,
    hidden: tuple[int, ...],
    initial_log_std: float,
    observation_clip: float,
    rng: np.random.Generator,
    config: CloneConfig | None = None,
) -> Clone:
    """Fit an actor to episodes.

    Args:
        episodes: at least one; a single one is cut in two, the later part being held out.
        action_space: kind and size of the actions.
        hidden: widths of the actor's hidden layers.
        initial_log_std: first spread of continuous actions.
        observation_clip: bound of normalised observations.
        rng: draws the first weights and the minibatches.
        config: how it is learned.

    Raises:
        ShapeError: there is no episode, or observations and actions do not belong together.
    """
    config = config or CloneConfig()
    parts = _halves(episodes) if len(episodes) == 1 else list(episodes)
    _check(parts, action_space)
    observations = ObservationNormaliser(parts[0][0].shape[1], observation_clip)
    observations.update(np.concatenate([seen for seen, _ in parts]))
    scaled = [(observations(seen), actions) for seen, actions in parts]
    weights_seed = int(rng.integers(2**63))

    def start() -> _Imitator:
        return _Imitator(scaled[0][0].shape[1], action_space, hidden, initial_log_std, config, weights_seed)

    num_folds = min(len(scaled), config.max_folds)
    folds = [np.arange(len(scaled)) % num_folds == fold for fold in range(num_folds)]

    def held_out(fit: Fit) -> Float64:
        """Return the losses after each pass, (E, folds)."""
        curves = [_held_out_curve(start(), scaled, is_out, fit, config, rng) for is_out in folds]
        length = max(len(curve) for curve in curves)
        # A fold that had stopped would have become no better: its last value stands for what follows.
        return np.stack(
            [np.append(curve, np.full(length - len(curve), curve[-1])) for curve in curves], axis=1
        )

    def best(fits: Sequence[Fit], losses: list[Float64]) -> Tuned[Fit]:
        return TransferTuner(choices=tuple(fits), margin=0.0).by_held_out(losses)

    plain = [Fit(learning_rate=rate) for rate in config.learning_rates]
    of_plain = [held_out(fit) for fit in plain]
    chosen = best(plain, of_plain)
    # What holds back is tried with the rate that is best without: every pair of the two would take long.
    fits = [chosen.choice]
    fits += [dataclasses.replace(chosen.choice, weight_decay=decay) for decay in config.weight_decays]
    fits += [dataclasses.replace(chosen.choice, noise=noise) for noise in config.noises]
    tuned = best(fits, [of_plain[chosen.index], *map(held_out, fits[1:])])
    imitator, epochs = start(), tuned.epochs + 1
    for _ in range(epochs):
        imitator.learn(*_joined(scaled), tuned.choice, rng)
    report = CloneReport(
        num_episodes=len(episodes),
        num_steps=sum(len(actions) for _, actions in episodes),
        **dataclasses.asdict(tuned.choice),
        epochs=epochs,
        held_out_nll=tuned.scores[tuned.index].loss,
    )
    return Clone(actor=imitator.actor, observations=observations, report=report)


def log_likelihoods(outputs: Float32, actions: Actions, log_std: Float32 | None) -> Float32:
    """Return the log-probability of each action, (B,).

    Args:
        outputs: of the actor, (B, A): means, or logits where ``log_std`` is None.
        actions: float32 (B, A) or int64 (B,).
        log_std: (A,) of continuous actions.
    """
    if log_std is None:
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        chosen: Float32 = shifted[np.arange(len(actions)), actions]
        chosen -= np.log(np.exp(shifted).sum(axis=1))
        return chosen
    scaled = (actions - outputs) * np.exp(-log_std)
    total: Float32 = -0.5 * np.square(scaled).sum(axis=1) - log_std.sum() - 0.5 * LOG_2PI * len(log_std)
    return total


class _Imitator:
    """An actor and its optimiser."""

    def __init__(
        self,
        observation_dim: int,
        action_space: ActionSpace,
        hidden: tuple[int, ...],
        initial_log_std: float,
        config: CloneConfig,
        seed: int,
    ) -> None:
        self._is_continuous = action_space.kind == "continuous"
        log_std = np.full(action_space.size, initial_log_std, np.float32) if self._is_continuous else None
        sizes = (observation_dim, *hidden, action_space.size)
        self.actor = Network(sizes, np.random.default_rng(seed), last_gain=0.01, free=log_std)
        self._learner = ActorLearner(self.actor, action_space)
        self._config = config

    def learn(self, inputs: Float32, actions: Actions, fit: Fit, rng: np.random.Generator) -> None:
        """Make one pass over steps."""
        if fit.noise:
            inputs = inputs + fit.noise * rng.standard_normal(inputs.shape, np.float32)
        size = max(self._config.minibatch_size, len(inputs) // self._config.max_minibatches)
        for some, taken in minibatches(rng.permutation(len(inputs)), size, inputs, actions):
            self._learner.step(
                some,
                taken,
                self.log_probs(some, taken),
                np.ones(len(some), np.float32),
                learning_rate=fit.learning_rate,
                clip_range=0.2,  # no matter: the ratio is 1
                entropy_coef=0.0,
                max_grad_norm=0.5,
            )
            for weight in self.actor.weights if fit.weight_decay else ():
                weight *= 1.0 - fit.learning_rate * fit.weight_decay
            np.maximum(self.actor.free, self._config.min_log_std, out=self.actor.free)

    def log_probs(self, inputs: Float32, actions: Actions) -> Float32:
        """Return the log-probability of each action, (B,)."""
        log_std = self.actor.free if self._is_continuous else None
        return log_likelihoods(self.actor.numpy_forward(inputs), actions, log_std)


def _held_out_curve(
    imitator: _Imitator,
    episodes: Sequence[Shown],
    is_out: Bool,
    fit: Fit,
    config: CloneConfig,
    rng: np.random.Generator,
) -> Float64:
    """Return the held-out negative log-likelihood after each pass, until it has long not improved."""
    train = _joined([e for e, out in zip(episodes, is_out, strict=True) if not out])
    test = _joined([e for e, out in zip(episodes, is_out, strict=True) if out])
    curve: list[float] = []
    for epoch in range(config.max_epochs):
        imitator.learn(*train, fit, rng)
        curve.append(-float(imitator.log_probs(*test).mean()))
        if epoch - int(np.argmin(curve)) >= config.patience:
            break
    return np.array(curve)


def _joined(episodes: Sequence[Shown]) -> Shown:
    return np.concatenate([seen for seen, _ in episodes]), np.concatenate([taken for _, taken in episodes])


def _halves(episodes: Sequence[Shown]) -> list[Shown]:
    seen, taken = episodes[0]
    middle = (len(taken) + 1) // 2
    return [(seen[:middle], taken[:middle]), (seen[middle:], taken[middle:])] if len(taken) > 1 else []


def _check(episodes: Sequence[Shown], action_space: ActionSpace) -> None:
    if not episodes:
        raise ShapeError("cloning needs an episode of two steps or more; show one.")
    for seen, taken in episodes:
        shape = (len(seen), action_space.size) if action_space.kind == "continuous" else (len(seen),)
        check_shape("observations", seen, (None, episodes[0][0].shape[1]))
        check_shape("actions", taken, shape)
