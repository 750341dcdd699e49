"""Somebody else's environment with goals, with continuous actions; importing it registers it."""

from typing import Any

import gymnasium
import numpy as np

POINT = "point_env:test/Point-v0"
_KEYS = ("observation", "achieved_goal", "desired_goal")


class Point(gymnasium.Env):
    """A point in a square, moved by its action. As in PointMaze, being at the goal pays 1 and all else 0."""

    def __init__(
        self,
        render_mode: str | None = None,
        judges_many: bool = True,
        ends_after: int | None = None,
        pays_by_distance: bool = False,
        speed: float = 1.0,
        goals: Any = None,
    ) -> None:
        box = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)
        spaces = dict.fromkeys(_KEYS, box) | {"desired_goal": goals or box}
        self.observation_space = gymnasium.spaces.Dict(spaces)
        low, high = speed * np.array([-0.2, -0.1]), speed * np.array([0.2, 0.3])
        self.action_space = gymnasium.spaces.Box(low, high, dtype=np.float64)
        self._pays_by_distance = pays_by_distance
        self.render_mode, self._judges_many, self._ends_after = render_mode, judges_many, ends_after

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._goal = self.np_random.uniform(-0.5, 0.5, (2, 2))
        self._num_steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._place = np.clip(self._place + action, -1, 1)
        self._num_steps += 1
        ended = self._num_steps == self._ends_after
        return self._observe(), self.compute_reward(self._place, self._goal, {}), ended, False, {}

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> Any:
        away = np.linalg.norm(achieved - desired, axis=-1)
        if self._pays_by_distance:
            return -away
        near = away < 0.15
        return near.astype(np.float64) if self._judges_many else float(near.all())

    def _observe(self) -> dict[str, Any]:
        return dict(zip(_KEYS, (self._place, self._place, self._goal), strict=True))


gymnasium.register("test/Point-v0", entry_point=Point, max_episode_steps=20)
gymnasium.register("test/PointDense-v0", entry_point=Point, kwargs={"pays_by_distance": True})
