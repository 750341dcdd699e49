"""The MuJoCo tasks as a ``BatchedEnv``: physics in C on all cores, everything else in vectorised numpy.

Steps are bit-identical to Gymnasium's own environments: every environment keeps its own ``MjData`` and with
it the solver's warm start. ``mujoco.rollout`` is no faster for one step a call (measured), and it does not
hand the warm start back, without which HalfCheetah and Ant soon go another way. No GL library is needed.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from gymnasium.utils.seeding import np_random

from rlhf.experience.spaces import action_space_of, to_env_actions
from rlhf.experience.tasks import make_env
from rlhf.experience.true_rewards import MUJOCO_TRUE_REWARDS
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import Task

MAX_THREADS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What distinguishes one Gymnasium MuJoCo environment from another."""

    hidden_positions: int
    """Leading entries of qpos that the observation leaves out."""
    velocity_limit: float = np.inf
    """Velocities are clipped to +- this in the observation."""
    reset_noise: float
    """Half width of the uniform noise on the first positions."""
    normal_velocities: bool
    """Whether the first velocities are normal with that scale rather than uniform."""


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "Hopper-v5": Layout(
            hidden_positions=1, velocity_limit=10.0, reset_noise=5e-3, normal_velocities=False
        ),
        "Walker2d-v5": Layout(
            hidden_positions=1, velocity_limit=10.0, reset_noise=5e-3, normal_velocities=False
        ),
        "HalfCheetah-v5": Layout(hidden_positions=1, reset_noise=0.1, normal_velocities=True),
        "Swimmer-v5": Layout(hidden_positions=2, reset_noise=0.1, normal_velocities=False),
        "Ant-v5": Layout(hidden_positions=2, reset_noise=0.1, normal_velocities=True),
    }
)


class MujocoBatchedEnv:
    """N MuJoCo environments stepped on a small thread pool (the physics releases Python's lock).

    A simulator state is ``concatenate(qpos, qvel)``, enough to draw it and to compute the observation. It
    lacks the warm start, so ``restore`` replays the actions instead: exact, about 0.1 ms a step. No task of
    this kind terminates.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        env = make_env(task)
        simulator = env.unwrapped
        self.num_envs = num_envs
        self.action_space = action_space_of(env.action_space)
        self._layout = LAYOUTS[task.env_id]
        self._true_reward = MUJOCO_TRUE_REWARDS[task.name]
        self._model: Any = simulator.model
        self._frame_skip = int(simulator.frame_skip)
        self._step_s = float(simulator.dt)
        self._low, self._high = simulator.action_space.low, simulator.action_space.high
        self._first_qpos, self._first_qvel = simulator.init_qpos.copy(), simulator.init_qvel.copy()
        env.close()
        self._num_positions, num_velocities = int(self._model.nq), int(self._model.nv)
        self.observation_dim = self._num_positions - self._layout.hidden_positions + num_velocities
        self._data = [mujoco.MjData(self._model) for _ in range(num_envs)]
        # Views into MuJoCo's memory, taken once: looking the attributes up costs more than copying them.
        self._controls = [data.ctrl for data in self._data]
        self._positions = [data.qpos for data in self._data]
        self._velocities = [data.qvel for data in self._data]
        self._states = np.zeros((num_envs, self._num_positions + num_velocities))
        threads = min(_num_cores(), MAX_THREADS, num_envs)
        self._slices = [range(k, num_envs, threads) for k in range(threads)]
        self._pool = concurrent.futures.ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="mujoco")

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        for index, seed in zip(indices, seeds, strict=True):
            self._reset_one(int(index), int(seed))
        return self._observe(self._states[indices]).astype(np.float32)

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        controls = to_env_actions(self._low, self._high, actions)
        x_before = self._states[:, 0].copy()
        others = [self._pool.submit(self._advance, part, controls) for part in self._slices[1:]]
        self._advance(self._slices[0], controls)
        for other in others:
            other.result()
        observations = self._observe(self._states)
        velocity = (self._states[:, 0] - x_before) / self._step_s
        rewards = self._true_reward(velocity, observations, controls.astype(np.float64))
        ended = np.zeros((2, self.num_envs), np.bool_)
        return observations.astype(np.float32), rewards, ended[0], ended[1]

    def sim_states(self) -> Float64:
        """Return a copy of the positions and velocities, (N, nq + nv)."""
        return self._states.copy()

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Reset one environment and replay the actions, which is exact; ``sim_state`` is not used."""
        self._reset_one(index, reset_seed)
        data, control = self._data[index], self._controls[index]
        for controls in to_env_actions(self._low, self._high, actions):
            control[:] = controls
            mujoco.mj_step(self._model, data, nstep=self._frame_skip)
        self._read(index)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()

    def _advance(self, indices: range, controls: Float32) -> None:
        model, frame_skip, step = self._model, self._frame_skip, mujoco.mj_step
        for index in indices:
            self._controls[index][:] = controls[index]
            step(model, self._data[index], nstep=frame_skip)
            self._read(index)

    def _read(self, index: int) -> None:
        self._states[index, : self._num_positions] = self._positions[index]
        self._states[index, self._num_positions :] = self._velocities[index]

    def _reset_one(self, index: int, seed: int) -> None:
        rng, _ = np_random(seed)
        noise, model = self._layout.reset_noise, self._model
        mujoco.mj_resetData(model, self._data[index])
        self._positions[index][:] = self._first_qpos + rng.uniform(-noise, noise, size=model.nq)
        if self._layout.normal_velocities:
            self._velocities[index][:] = self._first_qvel + noise * rng.standard_normal(model.nv)
        else:
            self._velocities[index][:] = self._first_qvel + rng.uniform(-noise, noise, size=model.nv)
        self._read(index)

    def _observe(self, states: Float64) -> Float64:
        observations = states[:, self._layout.hidden_positions :].copy()
        if np.isfinite(self._layout.velocity_limit):
            velocities = observations[:, -int(self._model.nv) :]
            np.maximum(velocities, -self._layout.velocity_limit, out=velocities)
            np.minimum(velocities, self._layout.velocity_limit, out=velocities)
        return observations


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: the cores this process may use, fewer in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
