"""CartPole, Pendulum, MountainCar and Acrobot for N environments at once, in numpy.

Resets and dynamics agree with Gymnasium's environments of the same name, to which the equations belong:
the same seed gives the same first observation and the same actions the same steps. Knows nothing of horizons.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
from gymnasium.utils.seeding import np_random

from rlhf.errors import TaskError
from rlhf.experience.spaces import to_env_actions
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import ActionSpace


class Dynamics(Protocol):
    """One system as pure functions of its states (N, S)."""

    state_dim: int
    observation_dim: int
    action_space: ActionSpace

    def reset_state(self, rng: np.random.Generator) -> Float64:
        """Return a random first state (S,)."""

    def step(self, states: Float64, actions: Actions) -> tuple[Float64, Float64, Bool]:
        """Return (next states (N, S), rewards (N,), terminated (N,))."""

    def observe(self, states: Float64) -> Float32:
        """Return the observations (N, D) of states."""


def states_shown(env_id: str, observations: Float32) -> Float64:
    """Return the states (N, S) that observations (N, D) show; Pendulum's torque, which they do not, is 0.

    Raises:
        TaskError: observations of this environment do not show its whole state.
    """
    seen = observations.astype(np.float64)
    if env_id in ("CartPole-v1", "MountainCar-v0"):
        return seen
    if env_id == "Pendulum-v1":
        return np.column_stack((np.arctan2(seen[:, 1], seen[:, 0]), seen[:, 2], np.zeros(len(seen))))
    if env_id == "Acrobot-v1":
        first, second = np.arctan2(seen[:, 1], seen[:, 0]), np.arctan2(seen[:, 3], seen[:, 2])
        return np.column_stack((first, second, seen[:, 4:]))
    raise TaskError(
        f"what was imagined of {env_id} cannot be drawn, as its observations do not show the whole state; "
        f"those of {', '.join(CLASSIC_DYNAMICS)} and of MuJoCo's robots do."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CartPole:
    """State: cart position (m), its velocity, pole angle (rad), its velocity. Actions: push left, right."""

    gravity: float = 9.8
    length: float = 0.5
    """Half of the pole's, m."""
    pole_mass: float = 0.1
    force: float = 10.0

    state_dim = 4
    observation_dim = 4
    action_space = ActionSpace("discrete", 2)

    def reset_state(self, rng: np.random.Generator) -> Float64:
        """Return a state within 0.05 of the upright rest."""
        return rng.uniform(-0.05, 0.05, size=4)

    def step(self, states: Float64, actions: Actions) -> tuple[Float64, Float64, Bool]:
        """Integrate 0.02 s (explicit Euler); terminate when the pole or the cart is out of range."""
        pole_mass, half_length, time_step = self.pole_mass, self.length, 0.02
        total_mass = 1.0 + pole_mass
        position, velocity, angle, spin = states.T
        force = np.where(actions == 1, self.force, -self.force)
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (force + pole_mass * half_length * np.square(spin) * sine) / total_mass
        spin_rate = (self.gravity * sine - cosine * push) / (
            half_length * (4.0 / 3.0 - pole_mass * np.square(cosine) / total_mass)
        )
        acceleration = push - pole_mass * half_length * spin_rate * cosine / total_mass
        following = np.empty_like(states)
        following[:, 0] = position + time_step * velocity
        following[:, 1] = velocity + time_step * acceleration
        following[:, 2] = angle + time_step * spin
        following[:, 3] = spin + time_step * spin_rate
        terminated = (np.abs(following[:, 0]) > 2.4) | (np.abs(following[:, 2]) > 12 * 2 * np.pi / 360)
        return following, np.ones(len(states)), terminated

    def observe(self, states: Float64) -> Float32:
        """Return the states."""
        return states.astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pendulum:
    """State: angle from upright (rad, not wrapped), angular velocity, torque of the last step (first 0)."""

    gravity: float = 10.0
    mass: float = 1.0

    state_dim = 3
    observation_dim = 3
    action_space = ActionSpace("continuous", 1)
    max_torque = np.full(1, 2.0, np.float32)

    def reset_state(self, rng: np.random.Generator) -> Float64:
        """Return any angle with a velocity within 1 rad/s, no torque applied yet."""
        high = np.array([np.pi, 1.0])
        return np.append(rng.uniform(-high, high), 0.0)

    def step(self, states: Float64, actions: Actions) -> tuple[Float64, Float64, Bool]:
        """Integrate 0.05 s (semi-implicit Euler); never terminates."""
        time_step = 0.05
        angle, spin = states[:, 0], states[:, 1]
        torque = to_env_actions(-self.max_torque, self.max_torque, actions)[:, 0]
        wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
        # The torque stays float32 until it meets the state, as in Gymnasium, so that both round alike.
        cost = wrapped**2 + 0.1 * spin**2 + 0.001 * torque**2
        following = np.empty_like(states)
        pull = 3 * self.gravity / 2 * np.sin(angle) + 3.0 / self.mass * torque
        following[:, 1] = np.clip(spin + pull * time_step, -8.0, 8.0)
        following[:, 0] = angle + following[:, 1] * time_step
        following[:, 2] = torque
        return following, -cost, np.zeros(len(states), np.bool_)

    def observe(self, states: Float64) -> Float32:
        """Return cosine and sine of the angle, and the angular velocity."""
        columns = (np.cos(states[:, 0]), np.sin(states[:, 0]), states[:, 1])
        return np.stack(columns, axis=1).astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MountainCar:
    """State: position, velocity. Actions: accelerate left, not at all, right."""

    gravity: float = 0.0025
    force: float = 0.001

    state_dim = 2
    observation_dim = 2
    action_space = ActionSpace("discrete", 3)

    def reset_state(self, rng: np.random.Generator) -> Float64:
        """Return a resting car near the bottom of the valley."""
        return np.array([rng.uniform(-0.6, -0.4), 0.0])

    def step(self, states: Float64, actions: Actions) -> tuple[Float64, Float64, Bool]:
        """Move once; terminate at the flag. The left wall stops the car."""
        position, velocity = states.T
        velocity = velocity + ((actions - 1) * self.force + np.cos(3 * position) * (-self.gravity))
        velocity = np.clip(velocity, -0.07, 0.07)
        position = np.clip(position + velocity, -1.2, 0.6)
        velocity = np.where((position == -1.2) & (velocity < 0), 0.0, velocity)
        following = np.stack((position, velocity), axis=1)
        return following, np.full(len(states), -1.0), (position >= 0.5) & (velocity >= 0)

    def observe(self, states: Float64) -> Float32:
        """Return the states."""
        return states.astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Acrobot:
    """State: angle of the first link from hanging, of the second from the first, and their velocities.

    Actions: torque -1, 0, 1 at the joint between the links.
    """

    mass_1: float = 1.0
    mass_2: float = 1.0

    state_dim = 4
    observation_dim = 6
    action_space = ActionSpace("discrete", 3)

    def reset_state(self, rng: np.random.Generator) -> Float64:
        """Return a state within 0.1 of hanging at rest (rounded to float32, as in Gymnasium)."""
        return rng.uniform(-0.1, 0.1, size=4).astype(np.float32).astype(np.float64)

    def step(self, states: Float64, actions: Actions) -> tuple[Float64, Float64, Bool]:
        """Integrate 0.2 s (fourth-order Runge-Kutta); terminate when the tip is above the line."""
        torque, time_step = np.asarray(actions - 1, np.float64), 0.2
        y = states.T
        k1 = self._derivatives(y, torque)
        k2 = self._derivatives(y + time_step / 2 * k1, torque)
        k3 = self._derivatives(y + time_step / 2 * k2, torque)
        k4 = self._derivatives(y + time_step * k3, torque)
        y = y + time_step / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        for row in (0, 1):
            while (high := y[row] > np.pi).any():
                y[row] = np.where(high, y[row] - 2 * np.pi, y[row])
            while (low := y[row] < -np.pi).any():
                y[row] = np.where(low, y[row] + 2 * np.pi, y[row])
        y[2] = np.clip(y[2], -4 * np.pi, 4 * np.pi)
        y[3] = np.clip(y[3], -9 * np.pi, 9 * np.pi)
        terminated = -np.cos(y[0]) - np.cos(y[1] + y[0]) > 1.0
        return np.ascontiguousarray(y.T), np.where(terminated, 0.0, -1.0), terminated

    def observe(self, states: Float64) -> Float32:
        """Return cosine and sine of both angles, and both velocities."""
        first, second = states[:, 0], states[:, 1]
        columns = (np.cos(first), np.sin(first), np.cos(second), np.sin(second), states[:, 2], states[:, 3])
        return np.stack(columns, axis=1).astype(np.float32)

    def _derivatives(self, y: Float64, torque: Float64) -> Float64:
        # Two links of length 1, centre of mass at 0.5 and moment of inertia 1 (Sutton and Barto).
        length, centre, inertia, gravity = 1.0, 0.5, 1.0, 9.8
        mass_1, mass_2 = self.mass_1, self.mass_2
        first, second, first_spin, second_spin = y
        cosine, sine = np.cos(second), np.sin(second)
        d1 = (
            mass_1 * centre**2 + mass_2 * (length**2 + centre**2 + 2 * length * centre * cosine) + 2 * inertia
        )
        d2 = mass_2 * (centre**2 + length * centre * cosine) + inertia
        phi2 = mass_2 * centre * gravity * np.cos(first + second - np.pi / 2.0)
        phi1 = (
            -mass_2 * length * centre * second_spin**2 * sine
            - 2 * mass_2 * length * centre * second_spin * first_spin * sine
            + (mass_1 * centre + mass_2 * length) * gravity * np.cos(first - np.pi / 2)
            + phi2
        )
        second_rate = (torque + d2 / d1 * phi1 - mass_2 * length * centre * first_spin**2 * sine - phi2) / (
            mass_2 * centre**2 + inertia - d2**2 / d1
        )
        first_rate = -(d2 * second_rate + phi1) / d1
        return np.stack((first_spin, second_spin, first_rate, second_rate))


CLASSIC_DYNAMICS: Mapping[str, Callable[..., Dynamics]] = MappingProxyType(
    {"CartPole-v1": CartPole, "Pendulum-v1": Pendulum, "MountainCar-v0": MountainCar, "Acrobot-v1": Acrobot}
)


class ClassicBatchedEnv:
    """A ``BatchedEnv`` over one of the systems above.

    A simulator state is the system's whole state, so ``restore`` from it is exact. All but Pendulum's last
    entry, the torque (Gymnasium's ``last_u``, drawn as an arrow), can be assigned to Gymnasium's ``state``.
    """

    def __init__(self, num_envs: int, env_id: str, changes: Mapping[str, float] | None = None) -> None:
        """Make the environments.

        Args:
            num_envs: N.
            env_id: Gymnasium id of the system.
            changes: constants of the system that are not the usual ones, by name.
        """
        self.num_envs = num_envs
        self._dynamics = CLASSIC_DYNAMICS[env_id](**(changes or {}))
        self.observation_dim = self._dynamics.observation_dim
        self.action_space = self._dynamics.action_space
        self._states = np.zeros((num_envs, self._dynamics.state_dim))
        self._never = np.zeros(num_envs, np.bool_)

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        for index, seed in zip(indices, seeds, strict=True):
            self._states[index] = self._dynamics.reset_state(np_random(int(seed))[0])
        return self._dynamics.observe(self._states[indices])

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        self._states, rewards, terminated = self._dynamics.step(self._states, actions)
        return self._dynamics.observe(self._states), rewards, terminated, self._never.copy()

    def sim_states(self) -> Float64:
        """Return a copy of the states, (N, S)."""
        return self._states.copy()

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Put one environment into ``sim_state``; without it, replay the actions."""
        if sim_state is None:
            state = self._dynamics.reset_state(np_random(reset_seed)[0])[None]
            for action in actions:
                state, _, _ = self._dynamics.step(state, action[None])
            sim_state = state[0]
        self._states[index] = sim_state

    def close(self) -> None:
        """Do nothing: there is no simulator to release."""
