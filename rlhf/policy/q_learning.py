"""Double Q-learning towards goals: every step costs 1 until the goal is reached. Pure numpy, no torch.

Where an action has several numbers, Q(s, a, g) is the mean over them of one value per number and option, so
that the best action is the best option of each.

Sources: https://arxiv.org/abs/1509.06461 (double Q-learning), https://arxiv.org/abs/1707.01495 (the goal as
an input, rewards and bounds of the targets), https://arxiv.org/abs/2210.12566 (the mean over numbers).
"""

import dataclasses

import numpy as np

from rlhf.policy.adam import Adam
from rlhf.policy.kernels import Backpropagation
from rlhf.policy.networks import Network
from rlhf.policy.normalise import ObservationNormaliser
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.goals import GoalEpisodes, GoalSpace, GoalTransitions

_CLIP = 5.0
"""Standard deviations from the mean at which what the network sees ends, as in the source of goals."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class QConfig:
    """Hyperparameters of the Q-learner."""

    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    learning_rate: float = 1e-3
    """Adam's step size. 1e-4 to 3e-3."""
    discount: float = 0.98
    """Gamma in [0, 1): goals further away than about 1 / (1 - gamma) steps look alike."""
    batch_size: int = 256
    """Steps per update. 64 to 1024."""
    target_rate: float = 0.01
    """How far the target network follows in each update. More: faster, less steady. .001 to .05."""
    normalise: bool = True
    """Whether the network sees observations and goals with mean 0 and variance 1, by all that was seen so
    far. Needed where they are in units of their own; idle where each of them spans about [-1, 1]."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden is {self.hidden}; it must be one or more widths >= 1.")
        if not 0 <= self.discount < 1:
            raise ValueError(f"discount is {self.discount}; it must be in [0, 1).")
        if self.learning_rate <= 0 or self.batch_size < 1 or not 0 < self.target_rate <= 1:
            raise ValueError(
                f"learning_rate is {self.learning_rate}, batch_size {self.batch_size} and target_rate "
                f"{self.target_rate}; they must be > 0, >= 1 and in (0, 1]."
            )


def td_targets(online: Float32, target: Float32, reached: Bool, discount: float) -> Float32:
    """Return what Q of each step should have been, (B,).

        y = 0 where the goal was reached, else -1 + gamma * mean_d Q'(s', argmax_a Q(s', a)_d)_d

    bounded to [-1 / (1 - gamma), 0], outside of which no policy can be.

    Args:
        online: values of the next states by the learning network, (B, A, K): they choose the action.
        target: by the target network, (B, A, K): they judge it.
        reached: (B,).
        discount: gamma.
    """
    best = online.argmax(axis=2)[:, :, None]
    following = np.take_along_axis(target, best, axis=2).mean(axis=(1, 2))
    targets = np.where(reached, 0.0, -1.0 + discount * following)
    return np.clip(targets, -1.0 / (1.0 - discount), 0.0).astype(np.float32)


class QLearner:
    """A Q-network with goals, and the target network that follows it.

    Args:
        config: hyperparameters.
        space: sizes.
        rng: draws the first weights.
    """

    def __init__(self, config: QConfig, space: GoalSpace, rng: np.random.Generator) -> None:
        self._config, self._space = config, space
        outputs = space.action_dims * space.action_options
        sizes = (space.observation_dim + space.goal_dim, *config.hidden, outputs)
        self._online = Network(sizes, rng, last_gain=0.01)
        self._target = Network(sizes, rng, last_gain=0.01)
        self._target.load_parameters(self._online.parameters)
        self._adam = Adam(len(self._online.parameters))
        self._pass = Backpropagation(self._online, config.batch_size)
        self._rows = np.arange(config.batch_size)
        self._normaliser = ObservationNormaliser(sizes[0], _CLIP)

    def observe(self, episodes: GoalEpisodes) -> None:
        """Let the scale of what the network sees follow observations and goals, achieved and desired."""
        if not self._config.normalise:
            return
        seen = np.arange(episodes.observations.shape[1]) <= episodes.lengths[:, None]
        desired = np.broadcast_to(episodes.desired[:, None], episodes.achieved.shape)
        for goals in (episodes.achieved, desired):
            self._normaliser.update(np.concatenate([episodes.observations, goals], axis=2)[seen])

    def values(self, observations: Float32, goals: Float32) -> Float32:
        """Return the value of every option, (B, A, K), for observations (B, D) and goals (B, G)."""
        return self._values_by(self._online, self._inputs(observations, goals))

    def act(self, observations: Float32, goals: Float32, rng: np.random.Generator, epsilon: float) -> Int64:
        """Return actions (N, A): the best ones, but each with chance ``epsilon`` a random one.

        Args:
            observations: (N, D).
            goals: (N, G).
            rng: not used where ``epsilon`` is 0.
            epsilon: chance in [0, 1].
        """
        best: Int64 = self.values(observations, goals).argmax(axis=2)
        if not epsilon:
            return best
        random = rng.integers(self._space.action_options, size=best.shape)
        np.copyto(best, random, where=rng.random((len(best), 1)) < epsilon)
        return best

    def update(self, batch: GoalTransitions) -> float:
        """Take one step down the mean squared error to the targets; return that error.

        Args:
            batch: ``batch_size`` steps.
        """
        following = self._inputs(batch.next_observations, batch.goals)
        targets = td_targets(
            self._values_by(self._online, following),
            self._values_by(self._target, following),
            batch.reached,
            self._config.discount,
        )
        self._pass.forward(self._inputs(batch.observations, batch.goals))
        options, dims = self._space.action_options, self._space.action_dims
        chosen = batch.actions.T + options * np.arange(dims)[:, None]  # (A, B), rows of the output
        errors = self._pass.outputs[chosen, self._rows].mean(axis=0) - targets
        self._pass.output_gradients.fill(0.0)
        self._pass.output_gradients[chosen, self._rows] = errors / (dims * len(errors))
        self._pass.backward()
        self._adam.step(self._online.parameters, self._online.gradient, self._config.learning_rate)
        self._target.parameters += self._config.target_rate * (
            self._online.parameters - self._target.parameters
        )
        return float(errors @ errors) / len(errors)

    def _inputs(self, observations: Float32, goals: Float32) -> Float32:
        inputs = np.concatenate([observations, goals], axis=1)
        return self._normaliser(inputs) if self._config.normalise else inputs

    def _values_by(self, network: Network, inputs: Float32) -> Float32:
        shape = (len(inputs), self._space.action_dims, self._space.action_options)
        return network.numpy_forward(inputs).reshape(shape)
