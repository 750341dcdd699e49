"""Q-learning from whole past episodes, with a policy softmax(Q / tau). Pure numpy, no torch.

Network: input adapter -> trunk -> head, tanh. An action of several numbers has options for each of them, and
its value is the mean over its numbers. Two kinds of targets:

    returns        R_t = sum_k gamma^k r_{t + k}, and gamma^n V(s_T) where the horizon cut the episode
    bootstrapped   Retrace(lambda) over a few steps

The second kind reaches 500 on CartPole and falls again: its values follow the policy only slowly, and their
errors are larger than what one action is worth. The first kind stays. Where most is learned from parts of
episodes, as with Acrobot, it is slower.

What comes after a step is worth what a slowly following network says of the actions that the learning one
prefers, since the network that chose them overestimates them. The slow one is also the one that is judged.

Old policies did worse than the present one, so the square errors of ``returns`` are weighted by
min(1, pi_now(a|s) / pi_then(a|s)); Retrace cuts its traces by the same ratio.

Sources: https://arxiv.org/abs/1606.02647 (Retrace), https://arxiv.org/abs/1509.06461 (two networks),
https://arxiv.org/abs/2210.12566 (the mean over numbers), https://arxiv.org/abs/1802.01483 (the pull towards
the source's parameters). Differs: steps are drawn by the age of their episode alone, not also by |R - Q|^.5,
and the trunk has no LayerNorm.
"""

import dataclasses
from typing import Literal, get_args

import numpy as np

from rlhf.policy.adam import Adam, clip_norm
from rlhf.policy.config import UPDATES, Update
from rlhf.policy.kernels import Backpropagation
from rlhf.policy.networks import Network
from rlhf.policy.normalise import ObservationNormaliser, ReturnNormaliser
from rlhf.policy.partial import check_update, count_learned, learned_part
from rlhf.policy.past_episodes import PastSteps
from rlhf.types.experience import Actions, Float32, Float64, Int64
from rlhf.types.task import ActionSpace

Targets = Literal["returns", "bootstrapped"]

_OBSERVATION_CLIP = 10.0
_CHUNK = 8
"""Steps in a row that bootstrapped targets look ahead, at most."""
_SCALE_RATE = 0.05
_MAX_GRADIENT = 10.0
_TEMPERATURE_BATCH = 256
_BISECTIONS = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftQConfig:
    """Hyperparameters of the learner."""

    hidden: tuple[int, ...] = (64, 128, 128)
    """Widths behind the adapter and within the trunk."""
    learning_rate: float = 1e-3
    """Adam's step size. 1e-4 to 3e-3."""
    discount: float = 0.99
    """Gamma in [0, 1)."""
    batch_size: int = 256
    """Steps per update; a multiple of 8. 64 to 1024."""
    targets: Targets = "returns"
    """What Q is drawn towards, ``returns`` or ``bootstrapped``."""
    trace: float = 0.9
    """Lambda of ``bootstrapped`` in [0, 1]: 0 trusts the network after one step, 1 after eight."""
    slow_rate: float = 0.01
    """How far the slow network follows in each update. .001 to .05."""
    num_bins: int = 5
    """Options for each number of a continuous action."""
    capacity: int = 200
    """Past episodes that are learned from."""
    half_life: float = 50.0
    """An episode is drawn half as often as one that is so many episodes younger."""
    last_entropy: float = 0.02
    """Mean entropy of the policy in the end and when it is judged, as a share of a uniform policy's."""
    source_pull: float = 1e-3
    """Factor on half the squared distance of adapter and trunk to those of the source. An adapter that is
    new, as of a task with other observations, is held to its own random start instead."""
    update: Update = "all"
    """Which parameters learn."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden is {self.hidden}; it must be one or more widths >= 1.")
        if self.targets not in get_args(Targets) or self.update not in UPDATES:
            raise ValueError(
                f"targets is {self.targets!r} and update {self.update!r}; they must be one of "
                f"{', '.join(get_args(Targets))} and of {', '.join(UPDATES)}."
            )
        if not (0 <= self.discount < 1 and 0 <= self.trace <= 1):
            raise ValueError(
                f"discount is {self.discount} and trace {self.trace}; they must be in [0, 1) and [0, 1]."
            )
        if not 0 < self.last_entropy < 1:
            raise ValueError(f"last_entropy is {self.last_entropy}; it must be in (0, 1).")
        for name in ("learning_rate", "slow_rate", "capacity", "half_life"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be > 0.")
        if self.batch_size < 1 or self.batch_size % _CHUNK or self.num_bins < 2 or self.source_pull < 0:
            raise ValueError(
                f"batch_size is {self.batch_size}, num_bins {self.num_bins} and source_pull "
                f"{self.source_pull}; they must be a multiple of {_CHUNK}, >= 2 and >= 0."
            )


def temperature_for(values: Float32, entropy: float) -> float:
    """Return tau at which softmax(values / tau) has a mean entropy of ``entropy`` times its most.

    A fixed tau would mean another policy whenever the scale of the values moves.

    Args:
        values: (B, A, K).
        entropy: share in (0, 1).
    """
    wanted = entropy * np.log(values.shape[2])
    values = values - values.max(axis=2, keepdims=True)
    low, high = -12.0, 6.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        scores = values / np.float32(np.exp(middle))
        weights = np.exp(scores)
        sums = weights.sum(axis=2)
        mean = (np.log(sums) - (weights * scores).sum(axis=2) / sums).mean()
        low, high = (low, middle) if mean > wanted else (middle, high)
    return float(np.exp((low + high) / 2))


def _drawn(log_policy: Float32, noise: Float64) -> tuple[Int64, Float32]:
    options: Int64 = (log_policy + noise).argmax(axis=2)
    return options, np.take_along_axis(log_policy, options[:, :, None], axis=2)[:, :, 0].sum(axis=1)


class SoftQ:
    """Q-values of a task's actions, the policy that follows from them, and how they are learned.

    Args:
        config: hyperparameters.
        observation_dim: D.
        action_space: kind and size of the actions.
        rng: draws the first weights.
    """

    def __init__(
        self,
        config: SoftQConfig,
        observation_dim: int,
        action_space: ActionSpace,
        rng: np.random.Generator,
    ) -> None:
        self.config, self.action_space, self.version = config, action_space, 0
        discrete = action_space.kind == "discrete"
        self._numbers = 1 if discrete else action_space.size
        self._options = action_space.size if discrete else config.num_bins
        self._sizes = (observation_dim, *config.hidden, self._numbers * self._options)
        self.network = Network(self._sizes, rng, last_gain=0.01)
        """Learns, and gathers experience."""
        self.slow = Network(self._sizes, rng, last_gain=0.01)
        """Its running average: has the values of targets, and is judged."""
        self._anchor: Float32 | None = None
        self.observations = ObservationNormaliser(observation_dim, _OBSERVATION_CLIP)
        self.returns = ReturnNormaliser(_SCALE_RATE)
        self.temperature = 1.0
        """Tau of the policy that gathers experience, in units of normalised values."""
        self.calm_temperature = 1.0
        """Tau of the policy that is judged: the one it ends with."""
        self._start(rng)

    @property
    def num_options(self) -> tuple[int, int]:
        """Return (A, K): numbers of an action, options of each."""
        return self._numbers, self._options

    @property
    def shape(self) -> tuple[int, ActionSpace]:
        """Return (D, action space)."""
        return self._sizes[0], self.action_space

    def trainable_share(self) -> float:
        """Return the share of the parameters that learn."""
        learned, whole = count_learned(self._sizes, 0, self.config.update)
        return learned / whole

    def start_from(self, source: "SoftQ", rng: np.random.Generator) -> None:
        """Take over the trunk of ``source``, and adapter, head and scales where the shapes are the same.

        Raises:
            ConfigError: the adapter is new and would stay as it is.
        """
        check_update(self.config.update, len(self.network.matrices), source.shape[0], self.shape[0])
        pairs = zip(self.network.matrices, source.slow.matrices, strict=True)
        for mine, theirs in pairs:
            if mine.shape == theirs.shape:
                mine[:] = theirs
        if self.shape == source.shape:
            self.observations.load_state_dict(source.observations.state_dict())
            self.returns.load_state_dict(source.returns.state_dict())
            self.temperature, self.calm_temperature = source.calm_temperature, source.calm_temperature
        self._anchor = self.network.parameters.copy()
        self._start(rng)

    def meet_reward(self, past: PastSteps | None) -> None:
        """Take the scale of another reward as it is, so that what is preferred stays.

        Args:
            past: with that reward's returns; None where nothing is remembered: the first ones set the scale.
        """
        self.returns = ReturnNormaliser(_SCALE_RATE)
        if past is not None:
            self.returns.restart(past.returns)

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return (actions, their log-probabilities (N,)) for raw observations (N, D).

        ``deterministic`` acts calmly, as it would at the end of training; the best action alone would be a
        rule that can get stuck.
        """
        network, temperature = (
            (self.slow, self.calm_temperature) if deterministic else (self.network, self.temperature)
        )
        values = self._values_by(network, self.observations(observations))
        options, log_probs = _drawn(self._log_policy(values, temperature), rng.gumbel(size=values.shape))
        return self.to_actions(options), log_probs

    def explore(self, observations: Float32, noise: Float64) -> tuple[Int64, Float32]:
        """Return (options (N, A), their log-probabilities (N,)) for raw observations (N, D).

        Args:
            observations: (N, D).
            noise: standard Gumbel, (N, A, K). New for each step, it draws from the softmax policy; kept for
                some steps, it draws from the same policy in each of them, but prefers what it preferred.
        """
        values = self._values_by(self.network, self.observations(observations))
        return _drawn(self._log_policy(values, self.temperature), noise)

    def to_actions(self, options: Int64) -> Actions:
        """Return the actions of options (N, A)."""
        if self.action_space.kind == "discrete":
            return options[:, 0]
        return (2.0 * options / (self._options - 1) - 1.0).astype(np.float32)

    def learn(
        self,
        past: PastSteps,
        num_updates: int,
        entropy: float,
        rng: np.random.Generator,
        *,
        haste: float = 1.0,
    ) -> None:
        """Take ``num_updates`` gradient steps and set the temperature.

        Args:
            past: what to learn from.
            num_updates: at least 1.
            entropy: mean entropy that the policy is to have, as a share of a uniform policy's.
            rng: draws the steps.
            haste: factor on the learning rate.
        """
        self._rate = haste * self.config.learning_rate
        whole = self.config.targets == "returns"
        size = self.config.batch_size if whole else self.config.batch_size // _CHUNK
        drawn = past.draw(num_updates * size, rng)
        inputs = self.observations(past.observations)
        rest = self.returns.unnormalise(self._state_values(inputs[past.last_rows[drawn]]))
        with_rest = past.returns[drawn] + past.discounts[drawn] * rest
        self._rescale(with_rest)
        for number in range(num_updates):
            part = slice(number * size, (number + 1) * size)
            if whole:
                self._step_to_returns(past, inputs, drawn[part], with_rest[part])
            else:
                self._step_to_retrace(past, inputs, drawn[part])
        seen = inputs[past.rows[drawn[:_TEMPERATURE_BATCH]]]
        self.temperature = temperature_for(self._values_by(self.network, seen), entropy)
        self.calm_temperature = temperature_for(self._values_by(self.slow, seen), self.config.last_entropy)
        self.version += 1

    def _start(self, rng: np.random.Generator) -> None:
        self.slow.load_parameters(self.network.parameters)
        self._num_pulled = len(self.network.parameters) - self.network.matrices[-1].size
        self._learned = learned_part(self.network, self.config.update, rng)
        self._adam = Adam(len(self._learned.parameters))
        self._pass = Backpropagation(self.network, self.config.batch_size)
        self._each = np.arange(self.config.batch_size)
        self._rate = self.config.learning_rate

    def _step_to_returns(self, past: PastSteps, inputs: Float32, drawn: Int64, returns: Float32) -> None:
        self._pass.forward(inputs[past.rows[drawn]])
        log_probs = self._log_prob(self._passed(len(drawn)), past.options[drawn])
        ratios = np.exp(np.minimum(log_probs - past.log_probs[drawn], 0.0))
        self._step(past.options[drawn], self.returns.normalise(returns), ratios)

    def _step_to_retrace(self, past: PastSteps, inputs: Float32, starts: Int64) -> None:
        ahead = starts[:, None] + np.arange(_CHUNK)
        ends = starts + past.last_rows[starts] - past.rows[starts]
        steps = np.minimum(ahead, ends[:, None] - 1)
        flat = steps.reshape(-1)
        self._pass.forward(inputs[past.rows[flat]])
        targets = self._retrace(past, inputs, steps)
        self._step(past.options[flat], targets.reshape(-1), (ahead == steps).reshape(-1).astype(np.float32))

    def _retrace(self, past: PastSteps, inputs: Float32, steps: Int64) -> Float32:
        """Return normalised targets (C, L) of chunks of steps, whose states went through ``_pass``.

        A last step repeated stands for none, so what follows a chunk is also what follows its episode.
        """
        shape = (*steps.shape, self._numbers, self._options)
        flat = past.rows[steps].reshape(-1)
        slow = self._values_by(self.slow, inputs[flat]).reshape(shape)
        log_policy = self._log_policy(self._passed(len(flat))).reshape(shape)
        taken = past.options[steps][..., None]
        values = np.take_along_axis(slow, taken, axis=3).mean(axis=(2, 3))
        log_probs = np.take_along_axis(log_policy, taken, axis=3).sum(axis=(2, 3))
        state_values = (np.exp(log_policy) * slow).sum(axis=3).mean(axis=2)
        sd, discount = self.returns.sd, self.config.discount
        shift = self.returns.mean / sd
        targets = np.empty(steps.shape, np.float32)
        end_values = next_values = self._state_values(inputs[past.rows[steps[:, -1]] + 1])
        extra = np.zeros(len(steps), np.float32)  # lambda * c * (target - value) of the step after
        for k in range(_CHUNK - 1, -1, -1):
            step = steps[:, k]
            is_last = past.rows[step] + 1 == past.last_rows[step]
            after = np.where(is_last, end_values, next_values + extra) + shift
            targets[:, k] = (
                past.rewards[step] / sd + discount * np.where(past.terminated[step], 0.0, after) - shift
            )
            ratios = np.exp(np.minimum(log_probs[:, k] - past.log_probs[step], 0.0))
            extra = self.config.trace * ratios * (targets[:, k] - values[:, k])
            next_values = state_values[:, k]
        return targets

    def _step(self, options: Int64, targets: Float32, weights: Float32) -> None:
        """Take one step down mean(weight * (Q - target)^2) / 2 + pull * |theta - source|^2 / 2."""
        network = self.network
        chosen = options.T + self._options * np.arange(self._numbers)[:, None]  # (A, B), rows of the output
        errors = self._pass.outputs[chosen, self._each].mean(axis=0) - targets
        self._pass.output_gradients.fill(0.0)
        self._pass.output_gradients[chosen, self._each] = errors * weights / (self._numbers * len(errors))
        self._pass.backward()
        if self._anchor is not None:
            away = network.parameters[: self._num_pulled] - self._anchor[: self._num_pulled]
            network.gradient[: self._num_pulled] += self.config.source_pull * away
        clip_norm(network.gradient, _MAX_GRADIENT)
        self._learned.pull()
        self._adam.step(self._learned.parameters, self._learned.gradient, self._rate)
        self._learned.push()
        self.slow.parameters += self.config.slow_rate * (network.parameters - self.slow.parameters)

    def _rescale(self, returns: Float32) -> None:
        """Follow the scale of the returns; what the networks say, in the units of returns, stays."""
        before = self.returns.state_dict()
        head = self.network.matrices[-1]
        self.returns.update(returns, head[:-1], head[-1])
        self._learned.parameters[-head.size :] = head.reshape(-1)
        target_head, follower = self.slow.matrices[-1], ReturnNormaliser(_SCALE_RATE)
        follower.load_state_dict(before)
        follower.update(returns, target_head[:-1], target_head[-1])

    def _log_policy(self, values: Float32, temperature: float | None = None) -> Float32:
        scores = values / np.float32(temperature or self.temperature)
        scores = scores - scores.max(axis=2, keepdims=True)
        log_policy: Float32 = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
        return log_policy

    def _log_prob(self, values: Float32, options: Int64) -> Float32:
        log_policy = self._log_policy(values)
        taken: Float32 = np.take_along_axis(log_policy, options[:, :, None], axis=2).sum(axis=(1, 2))
        return taken

    def _state_values(self, inputs: Float32) -> Float32:
        """Return V(s) = sum_a pi(a|s) Q(s, a), normalised, (B,)."""
        log_policy = self._log_policy(self._values_by(self.network, inputs))
        expected: Float32 = (np.exp(log_policy) * self._values_by(self.slow, inputs)).sum(axis=2).mean(axis=1)
        return expected

    def _passed(self, count: int) -> Float32:
        return self._pass.outputs.T.reshape(count, self._numbers, self._options)

    def _values_by(self, network: Network, inputs: Float32) -> Float32:
        return network.numpy_forward(inputs).reshape(len(inputs), self._numbers, self._options)
