"""The MuJoCo tasks as a ``BatchedEnv``: physics in C, everything else in vectorised numpy.

Steps are bit-identical to Gymnasium's own environments: every environment keeps its own ``MjData`` and with
it the solver's warm start. ``mujoco.rollout`` is no faster for one step a call (measured), and it does not
hand the warm start back, without which HalfCheetah and Ant soon go another way. No GL library is needed.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from gymnasium.utils.seeding import np_random

from rlhf.experience.spaces import action_space_of, observation_size, to_env_actions
from rlhf.experience.tasks import make_env
from rlhf.experience.true_rewards import MUJOCO_TRUE_REWARDS, MujocoStep
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.hopper import TUMBLER, observe_turning, torso_touches
from rlhf.types.task import Task, base_name

MAX_CONTACT = 1.0
"""Contact forces are clipped to +- this before they are observed or paid for."""


def hopper_is_healthy(states: Float64) -> Bool:
    """Return whether each hopper stands upright and nothing of it runs wild, (N,)."""
    upright = (states[:, 1] > 0.7) & (np.abs(states[:, 2]) < 0.2)
    healthy: Bool = upright & (np.abs(states[:, 2:]) < 100.0).all(axis=1)
    return healthy


def tumbler_is_healthy(states: Float64) -> Bool:
    """Return whether each tumbler's torso is off the ground, (N,)."""
    return ~torso_touches(states[:, 1], states[:, 2])


def walker_is_healthy(states: Float64) -> Bool:
    """Return whether each walker's torso is at walking height and not tipped over, (N,)."""
    healthy: Bool = (states[:, 1] > 0.8) & (states[:, 1] < 2.0) & (np.abs(states[:, 2]) < 1.0)
    return healthy


def ant_is_healthy(states: Float64) -> Bool:
    """Return whether each ant's torso is neither on the ground nor flying off, (N,)."""
    healthy: Bool = (states[:, 2] >= 0.2) & (states[:, 2] <= 1.0) & np.isfinite(states).all(axis=1)
    return healthy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What distinguishes one Gymnasium MuJoCo environment from another."""

    hidden_positions: int
    """Leading entries of qpos that the observation leaves out."""
    velocity_limit: float = np.inf
    """Velocities are clipped to +- this in the observation."""
    observe: Callable[[Float64], Float64] | None = None
    """(positions and velocities) -> observations, where they are not the same."""
    reset_noise: float
    """Half width of the uniform noise on the first positions."""
    normal_velocities: bool
    """Whether the first velocities are normal with that scale rather than uniform."""
    is_healthy: Callable[[Float64], Bool] | None = None
    """Tells healthy states (N, nq + nv); the others end an episode unless the task says otherwise."""
    tracked_body: int | None = None
    """Body whose place gives the forward velocity instead of qpos; it lags one substep behind."""
    has_contact_forces: bool = False
    """Whether clipped contact forces follow in the observation, unless the task says otherwise."""


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "Hopper-v5": Layout(
            hidden_positions=1,
            velocity_limit=10.0,
            reset_noise=5e-3,
            normal_velocities=False,
            is_healthy=hopper_is_healthy,
        ),
        TUMBLER: Layout(
            hidden_positions=1,
            observe=observe_turning,
            is_healthy=tumbler_is_healthy,
            reset_noise=5e-3,
            normal_velocities=False,
        ),
        "Walker2d-v5": Layout(
            hidden_positions=1,
            velocity_limit=10.0,
            reset_noise=5e-3,
            normal_velocities=False,
            is_healthy=walker_is_healthy,
        ),
        "HalfCheetah-v5": Layout(hidden_positions=1, reset_noise=0.1, normal_velocities=True),
        "Swimmer-v5": Layout(hidden_positions=2, reset_noise=0.1, normal_velocities=False),
        "Ant-v5": Layout(
            hidden_positions=2,
            reset_noise=0.1,
            normal_velocities=True,
            is_healthy=ant_is_healthy,
            tracked_body=1,
            has_contact_forces=True,
        ),
    }
)


class MujocoBatchedEnv:
    """N MuJoCo environments, one after the other; ``sharded`` divides them among processes.

    A simulator state is ``concatenate(qpos, qvel)``, enough to draw it and to compute the observation. It
    lacks the warm start, so ``restore`` replays the actions instead: exact, about 0.1 ms a step.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        env = make_env(task)
        simulator = env.unwrapped
        self.num_envs = num_envs
        self.action_space = action_space_of(env.action_space)
        layout = self._layout = LAYOUTS[task.env_id]
        self._true_reward = MUJOCO_TRUE_REWARDS[base_name(task.name)]
        self._model: Any = simulator.model
        self._frame_skip = int(simulator.frame_skip)
        self._step_s = float(simulator.dt)
        self._low, self._high = simulator.action_space.low, simulator.action_space.high
        self._first_qpos, self._first_qvel = simulator.init_qpos.copy(), simulator.init_qvel.copy()
        env.close()
        self._num_positions, num_velocities = int(self._model.nq), int(self._model.nv)
        self.observation_dim = observation_size(env.observation_space)
        self._ends_unhealthy = bool(task.env_kwargs.get("terminate_when_unhealthy", True))
        has_forces = layout.has_contact_forces and task.env_kwargs.get(
            "include_cfrc_ext_in_observation", True
        )
        self._data = [mujoco.MjData(self._model) for _ in range(num_envs)]
        # Views into MuJoCo's memory, taken once: looking the attributes up costs more than copying them.
        self._controls = [data.ctrl for data in self._data]
        self._positions = [data.qpos for data in self._data]
        self._velocities = [data.qvel for data in self._data]
        self._tracked = [data.xpos[layout.tracked_body or 0] for data in self._data]
        self._forces = [data.cfrc_ext.reshape(-1) for data in self._data]
        self._states = np.zeros((num_envs, self._num_positions + num_velocities))
        self._x = np.zeros(num_envs)
        self._contact_forces = np.zeros((num_envs, self._forces[0].size)) if has_forces else None

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        for index, seed in zip(indices, seeds, strict=True):
            self._reset_one(int(index), int(seed))
        return self._observe(indices).astype(np.float32)

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        controls = to_env_actions(self._low, self._high, actions)
        x_before = self._x.copy()
        model, frame_skip, step = self._model, self._frame_skip, mujoco.mj_step
        for index, data in enumerate(self._data):
            self._controls[index][:] = controls[index]
            step(model, data, nstep=frame_skip)
            self._read(index)
        observations = self._observe(slice(None))
        healthy = np.ones(self.num_envs, np.bool_)
        if self._layout.is_healthy is not None:
            healthy = self._layout.is_healthy(self._states)
        rewards = self._true_reward(
            MujocoStep(
                velocity=(self._x - x_before) / self._step_s,
                observations=observations,
                controls=controls,
                healthy=healthy,
                contact_forces=self._contact_forces,
            )
        )
        never = np.zeros(self.num_envs, np.bool_)
        terminated = ~healthy if self._ends_unhealthy else never
        return observations.astype(np.float32), rewards, terminated, never.copy()

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
        if len(actions):
            self._read(index)

    def close(self) -> None:
        """Nothing to release: MuJoCo's memory goes with the object."""

    def _read(self, index: int) -> None:
        """Take over what one environment's last step led to."""
        self._read_state(index)
        if self._layout.tracked_body is not None:
            self._x[index] = self._tracked[index][0]
        if self._contact_forces is not None:
            mujoco.mj_rnePostConstraint(self._model, self._data[index])
            np.clip(self._forces[index], -MAX_CONTACT, MAX_CONTACT, out=self._contact_forces[index])

    def _read_state(self, index: int) -> None:
        self._states[index, : self._num_positions] = self._positions[index]
        self._states[index, self._num_positions :] = self._velocities[index]
        self._x[index] = self._states[index, 0]

    def _reset_one(self, index: int, seed: int) -> None:
        rng, _ = np_random(seed)
        noise, model = self._layout.reset_noise, self._model
        mujoco.mj_resetData(model, self._data[index])
        self._positions[index][:] = self._first_qpos + rng.uniform(-noise, noise, size=model.nq)
        if self._layout.normal_velocities:
            self._velocities[index][:] = self._first_qvel + noise * rng.standard_normal(model.nv)
        else:
            self._velocities[index][:] = self._first_qvel + rng.uniform(-noise, noise, size=model.nv)
        self._read_state(index)
        if self._contact_forces is not None:
            self._contact_forces[index] = 0.0

    def _observe(self, indices: Int64 | slice) -> Float64:
        layout, num_velocities = self._layout, int(self._model.nv)
        states = self._states[indices]
        observations = states[:, layout.hidden_positions :].copy()
        if np.isfinite(layout.velocity_limit):
            velocities = observations[:, -num_velocities:]
            np.maximum(velocities, -layout.velocity_limit, out=velocities)
            np.minimum(velocities, layout.velocity_limit, out=velocities)
        if layout.observe is not None:
            return layout.observe(observations)
        if self._contact_forces is None:
            return observations
        # The first body is the world.
        return np.concatenate((observations, self._contact_forces[indices, 6:]), axis=1)
