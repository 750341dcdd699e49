"""Policies that have learned nothing: varied behaviour for the first queries, and the random baseline."""

from typing import Any

import numpy as np

from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import ActionSpace

_HIDDEN = 16
_GAIN_RANGE = (0.5, 3.0)
_REPEAT_RANGE = (1, 10)
_LIFE_RANGE = (50, 200)
_NOISE = 0.3


class UniformRandomPolicy:
    """An ``ActingPolicy`` that draws every action uniformly; its return is the random baseline."""

    version = 0

    def __init__(self, action_space: ActionSpace) -> None:
        self._space = action_space

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return (actions, log-probabilities (N,)); ``deterministic`` has no meaning here."""
        num_envs, size = len(observations), self._space.size
        if self._space.kind == "discrete":
            return rng.integers(size, size=num_envs), np.full(num_envs, -np.log(size), np.float32)
        actions = rng.uniform(-1.0, 1.0, (num_envs, size)).astype(np.float32)
        return actions, np.full(num_envs, -size * np.log(2.0), np.float32)


class RandomPolicies:
    """An ``ActingPolicy`` of one random tanh network per environment, for behaviour before any label.

    Networks with random weights, output gains of 0.5 to 3 and actions held for 1 to 10 steps move in many
    different, often rhythmic ways, which is more to compare than trembling. Every environment gets a new
    network after 50 to 200 steps. Observations are divided by their running root mean square first.

    These actions are no sample of a known distribution: the log-probabilities are zeros, and PPO must not
    learn from them.
    """

    version = 0

    def __init__(self, action_space: ActionSpace, observation_dim: int, num_envs: int) -> None:
        self._space = action_space
        self._first: Float64 = np.zeros((num_envs, observation_dim, _HIDDEN))
        self._second: Float64 = np.zeros((num_envs, _HIDDEN, action_space.size))
        self._repeat: Int64 = np.ones(num_envs, np.int64)
        self._held_for: Int64 = np.zeros(num_envs, np.int64)
        self._life_left: Int64 = np.zeros(num_envs, np.int64)
        self._held: Actions = np.zeros(num_envs, np.int64)
        if action_space.kind == "continuous":
            self._held = np.zeros((num_envs, action_space.size), np.float32)
        self._square_sum: Float64 = np.full(observation_dim, 1e-6)
        self._num_seen = 1e-6

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return (actions, zeros (N,)); ``deterministic`` has no meaning here."""
        self._redraw(np.flatnonzero(self._life_left == 0), rng)
        self._square_sum += np.square(observations, dtype=np.float64).sum(axis=0)
        self._num_seen += len(observations)
        due: Bool = self._held_for % self._repeat == 0
        fresh = self._choose(observations, rng)
        self._held = np.where(due.reshape(-1, *[1] * (fresh.ndim - 1)), fresh, self._held)
        self._held_for += 1
        self._life_left -= 1
        return self._held.copy(), np.zeros(len(observations), np.float32)

    def _choose(self, observations: Float32, rng: np.random.Generator) -> Any:
        scale = np.sqrt(self._square_sum / self._num_seen) + 1e-8
        hidden = np.tanh(np.einsum("nd,ndh->nh", observations / scale, self._first))
        outputs = np.einsum("nh,nha->na", hidden, self._second)
        if self._space.kind == "discrete":
            # The largest of logits plus Gumbel noise is a sample from their softmax.
            return np.argmax(outputs + rng.gumbel(size=outputs.shape), axis=1)
        return np.tanh(outputs + _NOISE * rng.standard_normal(outputs.shape)).astype(np.float32)

    def _redraw(self, indices: Int64, rng: np.random.Generator) -> None:
        if not indices.size:
            return
        count, dim = len(indices), self._first.shape[1]
        gain = rng.uniform(*_GAIN_RANGE, size=(count, 1, 1))
        self._first[indices] = rng.standard_normal((count, dim, _HIDDEN)) / np.sqrt(dim)
        second = rng.standard_normal((count, _HIDDEN, self._space.size)) / np.sqrt(_HIDDEN)
        self._second[indices] = 2.0 * gain * second
        self._repeat[indices] = rng.integers(*_REPEAT_RANGE, size=count, endpoint=True)
        self._life_left[indices] = rng.integers(*_LIFE_RANGE, size=count, endpoint=True)
        self._held_for[indices] = 0
