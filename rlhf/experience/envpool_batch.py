"""EnvPool's environments as a ``BatchedEnv``. Knows nothing of horizons."""

import numpy as np

from rlhf.experience.envpool_env import EnvPoolEnv
from rlhf.experience.gymnasium_batch import GymnasiumBatchedEnv
from rlhf.experience.spaces import to_env_actions
from rlhf.types.experience import Actions, Bool, Float32, Float64
from rlhf.types.task import Task


class EnvPoolBatchedEnv(GymnasiumBatchedEnv):
    """N environments of EnvPool that step at the same time, each on a thread of its own."""

    def __init__(self, task: Task, num_envs: int) -> None:
        super().__init__(task, num_envs)
        self._singles: list[EnvPoolEnv] = [env.unwrapped for env in self._envs]
        self._env_actions = self._singles[0].action_space

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        space = self._env_actions
        if self.action_space.kind == "continuous":
            low, high = space.low.reshape(-1), space.high.reshape(-1)
            actions = to_env_actions(low, high, actions).reshape(self.num_envs, *space.shape)
        else:
            actions = actions + int(space.start)
        for env, action in zip(self._singles, actions, strict=True):
            env.send(action)
        observations, rewards, terminated, truncated, _ = zip(
            *(env.receive() for env in self._singles), strict=True
        )
        return np.stack(observations), np.array(rewards), np.array(terminated), np.array(truncated)
