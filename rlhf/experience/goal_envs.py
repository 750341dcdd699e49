"""Environments with goals: ours behind Gymnasium's interface, and N of ours or anybody's behind one stepper.

The interface is that of Gymnasium-Robotics' ``GoalEnv``: observations are dictionaries of ``observation``,
``achieved_goal`` and ``desired_goal``, and ``compute_reward`` judges any pair of goals.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils.seeding import np_random

from rlhf.errors import TaskError
from rlhf.experience.goal_dynamics import BitFlip, CarPark, FourRooms, GoalDynamics
from rlhf.experience.goal_pictures import draw
from rlhf.experience.spaces import action_space_of
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.goals import GoalObservation, GoalSpace

DYNAMICS: Mapping[str, Callable[..., GoalDynamics]] = MappingProxyType(
    {"rlhf/BitFlip-v0": BitFlip, "rlhf/FourRooms-v0": FourRooms, "rlhf/CarPark-v0": CarPark}
)
"""Our environments by Gymnasium id; keyword arguments of ``gymnasium.make`` go to the dynamics."""

OPTIONS_PER_NUMBER = 5
"""Evenly spaced values that are tried of each number of a continuous action."""

_KEYS = ("observation", "achieved_goal", "desired_goal")
_DEFAULT_HORIZON = 100
_DEFAULT_FPS = 25.0


class GoalEnv(gymnasium.Env):  # type: ignore[misc]  # Gymnasium is untyped here
    """One of our systems as a Gymnasium environment with goals.

    The reward is 0 where the goal is reached, which ends the episode, else -1.

    Args:
        dynamics: one of ``DYNAMICS``.
        render_mode: ``rgb_array`` or None.
        settings: of the dynamics.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, dynamics: str, render_mode: str | None = None, **settings: Any) -> None:
        self.render_mode = render_mode
        self.dynamics = DYNAMICS[dynamics](**settings)
        space = self.dynamics.space
        goals = Box(-1.0, 1.0, (space.goal_dim,), np.float32)
        seen = Box(-1.0, 1.0, (space.observation_dim,), np.float32)
        self.observation_space = Dict(dict(zip(_KEYS, (seen, goals, goals), strict=True)))
        self.action_space = Discrete(space.action_options)
        self._state: npt.NDArray[np.float64] | None = None
        self._goal: Float32 = np.zeros(space.goal_dim, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Float32], dict[str, Any]]:
        """Begin an episode with a new goal."""
        super().reset(seed=seed)
        self._state, self._goal = self.dynamics.begin(self.np_random)
        return self._observe(self._state), {}

    def step(self, action: int) -> tuple[dict[str, Float32], float, bool, bool, dict[str, Any]]:
        """Step once."""
        if self._state is None:
            raise RuntimeError("reset the environment before stepping it.")
        noise = self.np_random.random((1, self.dynamics.noise_dim))
        (self._state,) = self.dynamics.step(self._state[None], np.array([action]), noise)
        observation = self._observe(self._state)
        reached = self.compute_terminated(observation["achieved_goal"], self._goal, {})
        return observation, 0.0 if reached else -1.0, bool(reached), False, {"is_success": bool(reached)}

    def compute_reward(self, achieved: Float32, desired: Float32, info: Any) -> Float32:
        """Return 0 for goals (..., G) that are reached, else -1."""
        return self.dynamics.reached(achieved, desired).astype(np.float32) - np.float32(1.0)

    def compute_terminated(self, achieved: Float32, desired: Float32, info: Any) -> Bool:
        """Return whether goals (..., G) are reached."""
        return self.dynamics.reached(achieved, desired)

    def compute_truncated(self, achieved: Float32, desired: Float32, info: Any) -> bool:
        """Return False: the time limit is not the environment's own."""
        return False

    def render(self) -> npt.NDArray[np.uint8]:
        """Return the picture of state and goal, (H, W, 3)."""
        if self._state is None:
            raise RuntimeError("reset the environment before drawing it.")
        return draw(self.dynamics, self._state, self._goal)

    def _observe(self, state: npt.NDArray[np.float64]) -> dict[str, Float32]:
        seen, achieved = self.dynamics.observe(state[None])[0], self.dynamics.achieve(state[None])[0]
        return dict(zip(_KEYS, (seen, achieved, self._goal.copy()), strict=True))


for _name, _dynamics in DYNAMICS.items():
    gymnasium.register(
        _name,
        entry_point=f"{__name__}:GoalEnv",
        max_episode_steps=_dynamics().horizon,
        kwargs={"dynamics": _name},
    )


class OwnGoalEnvs:
    """``GoalEnvs`` over one of our systems: all N stepped by the same few numpy calls."""

    def __init__(self, dynamics: GoalDynamics, num_envs: int) -> None:
        self.num_envs = num_envs
        self.horizon, self.space = dynamics.horizon, dynamics.space
        self.reached = dynamics.reached
        self._dynamics = dynamics
        self._rngs: list[np.random.Generator] = []

    def reset(self, seeds: Int64) -> GoalObservation:
        """Begin N episodes; the same seed gives the same episode as ``GoalEnv``."""
        self._rngs = [np_random(int(seed))[0] for seed in seeds]
        states, goals = zip(*(self._dynamics.begin(rng) for rng in self._rngs), strict=True)
        self._states, self._goals = np.stack(states), np.stack(goals)
        return self._observe()

    def step(self, actions: Int64, acting: Bool) -> GoalObservation:
        """Step all; see ``GoalEnvs``."""
        noise = np.empty((self.num_envs, self._dynamics.noise_dim))
        if self._dynamics.noise_dim:
            for row, rng in zip(noise, self._rngs, strict=True):
                row[:] = rng.random(len(row))
        self._states = self._dynamics.step(self._states, actions[:, 0], noise)
        return self._observe()

    def close(self) -> None:
        """Do nothing: there is no simulator to release."""

    def _observe(self) -> GoalObservation:
        return GoalObservation(
            self._dynamics.observe(self._states), self._dynamics.achieve(self._states), self._goals
        )


class GymnasiumGoalEnvs:
    """``GoalEnvs`` over N environments of Gymnasium that follow the interface, one after the other.

    A goal counts as reached where the reward is as high as for achieving exactly what was desired; for all
    that is further away it has to be one and the same. Numbers of continuous actions take one of five evenly
    spaced values.

    Args:
        env_id: registered, or ``module:id`` of one that a module registers.
        num_envs: N.
        render_mode: None, or ``rgb_array`` to take ``picture``s.
        settings: for ``gymnasium.make``.

    Raises:
        TaskError: the environment cannot be made, or does not follow the interface; also from ``reached``,
            where the reward tells how near a goal is.
    """

    def __init__(self, env_id: str, num_envs: int, render_mode: str | None = None, **settings: Any) -> None:
        self.num_envs, self._env_id = num_envs, env_id
        self._envs = [_make(env_id, render_mode, settings) for _ in range(num_envs)]
        self.fps = float(self._envs[0].metadata.get("render_fps") or _DEFAULT_FPS)
        spaces = self._envs[0].observation_space
        actions = self._envs[0].action_space
        self._values: Float32 | None = None
        if isinstance(actions, Discrete):
            dims, options, self._first = 1, int(actions.n), int(actions.start)
        else:
            dims, options = int(np.prod(actions.shape)), OPTIONS_PER_NUMBER
            self._values = np.linspace(actions.low.ravel(), actions.high.ravel(), options, dtype=np.float32)
        self.space = GoalSpace(
            observation_dim=int(np.prod(spaces["observation"].shape)),
            goal_dim=int(np.prod(spaces["desired_goal"].shape)),
            action_dims=dims,
            action_options=options,
        )
        self.horizon = self._envs[0].spec.max_episode_steps or _DEFAULT_HORIZON

    def reset(self, seeds: Int64) -> GoalObservation:
        """Begin N episodes."""
        self._seen = [env.reset(seed=int(seed))[0] for env, seed in zip(self._envs, seeds, strict=True)]
        self._ended = np.zeros(self.num_envs, np.bool_)
        return self._observe()

    def step(self, actions: Int64, acting: Bool) -> GoalObservation:
        """Step those that act; one that has ended short of its goal stays as it is. See ``GoalEnvs``."""
        for index in np.flatnonzero(acting & ~self._ended):
            env, choices = self._envs[index], actions[index]
            if self._values is None:
                action: Any = int(choices[0]) + self._first
            else:
                action = self._values[choices, np.arange(len(choices))].reshape(env.action_space.shape)
            self._seen[index], _, terminated, truncated, _ = env.step(action)
            self._ended[index] = terminated or truncated
        return self._observe()

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Ask the environment about goals (..., G)."""
        judge = self._envs[0].unwrapped.compute_reward
        rewards, best = (np.asarray(judge(goals, desired, {})) for goals in (achieved, desired))
        if rewards.shape != achieved.shape[:-1]:
            raise TaskError(
                f"compute_reward of {type(self._envs[0].unwrapped).__name__} gave shape {rewards.shape} for "
                f"goals of shape {achieved.shape}; it must judge many goals at once, one reward each."
            )
        missed = rewards[rewards < best]
        if missed.size and missed.min() < missed.max():
            sparse = self._env_id.replace("Dense", "")
            named = "its sparse version" if sparse == self._env_id else repr(sparse)
            raise TaskError(
                f"{self._env_id!r} pays by how near the goal is, such as {missed.min():.3g} and "
                f"{missed.max():.3g}, so that hardly any would count as reached; take {named}, which pays "
                "for being there alone."
            )
        return rewards >= best

    def picture(self) -> npt.NDArray[np.uint8]:
        """Return the picture of the first environment, (H, W, 3)."""
        return np.asarray(self._envs[0].render())

    def close(self) -> None:
        """Release the environments."""
        for env in self._envs:
            env.close()

    def _observe(self) -> GoalObservation:
        return GoalObservation(
            *(np.stack([np.ravel(one[key]) for one in self._seen]).astype(np.float32) for key in _KEYS)
        )


def _make(env_id: str, render_mode: str | None, settings: Mapping[str, Any]) -> Any:
    try:
        env = gymnasium.make(env_id, render_mode=render_mode, disable_env_checker=True, **settings)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise TaskError(f"the environment {env_id!r} cannot be made: {error}") from error
    try:
        _check_interface(env_id, env)
    except TaskError:
        env.close()
        raise
    return env


def _check_interface(env_id: str, env: Any) -> None:
    spaces = env.observation_space.spaces if isinstance(env.observation_space, Dict) else {}
    if not spaces.keys() >= set(_KEYS) or not hasattr(env.unwrapped, "compute_reward"):
        raise TaskError(
            f"{env_id!r} cannot be used: it needs observations that are dictionaries of {', '.join(_KEYS)}, "
            "and a compute_reward, like the environments of Gymnasium-Robotics."
        )
    for key in _KEYS:
        if not isinstance(spaces[key], Box):
            raise TaskError(
                f"{env_id!r} cannot be used: its {key} is {spaces[key]}; it must be a Box of numbers. Take "
                "an environment with one goal at a time."
            )
    action_space_of(env.action_space)
