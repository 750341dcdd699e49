"""Any Gymnasium environment as a ``BatchedEnv``: a plain loop over N of them.

For everything that has no faster path, such as Box2D and most ``gym:`` tasks. Knows nothing of horizons.
"""

import numpy as np

from rlhf.experience.spaces import action_space_of, flatten_observation, observation_size
from rlhf.experience.tasks import make_env
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import Task


class GymnasiumBatchedEnv:
    """N Gymnasium environments, one after the other.

    Their states cannot be set, so ``sim_states`` is None and ``restore`` replays the actions.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        self.num_envs = num_envs
        self._envs = [make_env(task) for _ in range(num_envs)]
        self._space = self._envs[0].observation_space
        self.observation_dim = observation_size(self._space)
        self._is_flat = self._space.shape == (self.observation_dim,)
        self.action_space = action_space_of(self._envs[0].action_space)

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        return np.stack([self._reset_one(int(i), int(s)) for i, s in zip(indices, seeds, strict=True)])

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        observations = np.empty((self.num_envs, self.observation_dim), np.float32)
        rewards = np.empty(self.num_envs, np.float64)
        terminated = np.empty(self.num_envs, np.bool_)
        truncated = np.empty(self.num_envs, np.bool_)
        # Environments check an int in half the time that they take for a numpy integer.
        each = actions.tolist() if self.action_space.kind == "discrete" else actions
        for i, env in enumerate(self._envs):
            observation, rewards[i], terminated[i], truncated[i], _ = env.step(each[i])
            observations[i] = observation if self._is_flat else flatten_observation(self._space, observation)
        return observations, rewards, terminated, truncated

    def sim_states(self) -> None:
        """Return None: the states of arbitrary environments cannot be read."""

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Reset one environment and replay the actions; ``sim_state`` is not used."""
        self._reset_one(index, reset_seed)
        for action in actions:
            self._envs[index].step(action)

    def close(self) -> None:
        """Close all environments."""
        for env in self._envs:
            env.close()

    def _reset_one(self, index: int, seed: int) -> Float32:
        observation, _ = self._envs[index].reset(seed=seed)
        return flatten_observation(self._space, observation)
