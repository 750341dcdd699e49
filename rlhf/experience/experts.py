"""Scripted experts: hand-written controllers that show how a task is done.

Each is made anew for every episode and maps one raw observation (D,) to one action as policies give them.
They know what the numbers of an observation mean, and nothing of rewards.
"""

import enum

import numpy as np

from rlhf.types.experience import Bool, Float32, Float64


class BalanceCartPole:
    """Pushes to where the pole falls, and a little to where the cart drifts."""

    def __call__(self, observation: Float32) -> int:
        """Return 0 (push left) or 1 (push right)."""
        position, velocity, angle, spin = observation.tolist()
        return int(0.1 * position + 0.3 * velocity + 3.0 * angle + spin > 0.0)


class RockMountainCar:
    """Accelerates in the direction of travel, which adds energy at every step."""

    def __call__(self, observation: Float32) -> int:
        """Return 0 (left) or 2 (right)."""
        return 2 if observation[1] > 0.0 else 0


class PumpAcrobot:
    """Turns the second link against the first one's motion, which drives the first one on."""

    def __call__(self, observation: Float32) -> int:
        """Return 0 or 2, a torque of -1 or 1."""
        return 0 if observation[4] > 0.0 else 2


class SwingUpPendulum:
    """Gives the pendulum the energy of standing upright, then holds it there with a spring and a damper."""

    def __call__(self, observation: Float32) -> Float32:
        """Return a torque, (1,) in [-1, 1]."""
        cosine, sine, spin = observation.tolist()
        if cosine > 0.9:
            torque = -6.0 * np.arctan2(sine, cosine) - 1.5 * spin
        else:
            # A rod of mass 1 and length 1 that turns about its end: inertia 1/3, weight 10 at 1/2.
            missing = 5.0 * (1.0 - cosine) - spin**2 / 6.0
            torque = missing if spin >= 0.0 else -missing
        return np.array([np.clip(torque, -1.0, 1.0)], np.float32)


class LandSoftly:
    """Leans towards the pad by distance and drift, and sinks along a cone above it."""

    def __call__(self, observation: Float32) -> int:
        """Return 0 (nothing), 1 or 3 (a side engine) or 2 (the main engine)."""
        x, height, drift, climb, angle, spin, left_leg, right_leg = observation.tolist()
        turn, lift = 0.0, -0.5 * climb
        if not (left_leg or right_leg):
            wanted_angle = float(np.clip(0.5 * x + drift, -0.4, 0.4))
            turn = 0.5 * (wanted_angle - angle) - spin
            lift += 0.5 * (0.55 * abs(x) - height)
        if lift > max(abs(turn), 0.05):
            return 2
        if abs(turn) <= 0.05:
            return 0
        return 1 if turn > 0.0 else 3


@enum.unique
class _Phase(enum.Enum):
    SWING = enum.auto()
    """One leg carries the body while the other swings forward."""
    LAND = enum.auto()
    """The swinging leg goes down until it touches the ground."""
    PUSH = enum.auto()
    """The leg behind stretches and pushes the body onto the one in front."""


class WalkOnTwoLegs:
    """A gait of three phases, each with angles towards which springs pull the joints.

    The phases are those of the demonstration that comes with Gymnasium's environment, which falls in most
    episodes; the numbers were found by a random search for ones that do not.
    """

    _STIFFNESS, _DAMPING = np.array([0.70, 4.0]), np.array([0.25, 0.25])
    """Of hip and knee."""
    _CRUISE = 0.25
    """Forward speed to keep."""
    _BENT = 0.09
    """Knee of a leg that carries the body."""

    def __init__(self) -> None:
        self._phase, self._swinging, self._carrying_knee = _Phase.SWING, 0, self._BENT

    def __call__(self, observation: Float32) -> Float32:
        """Return the torques of hip and knee of the first leg, then of the second, (4,) in [-1, 1]."""
        hull_angle, hull_spin, forward, climb = observation[:4].astype(np.float64)
        legs = observation[4:14].reshape(2, 5).astype(np.float64)
        angles, speeds, touches = legs[:, [0, 2]], legs[:, [1, 3]], legs[:, 4] > 0
        targets = self._targets(angles, touches, float(forward))
        pull = self._STIFFNESS * (targets - angles) - self._DAMPING * speeds
        torques = np.where(np.isnan(targets), 0.0, pull)
        torques += (
            1.1 * hull_angle + 1.7 * hull_spin,
            -13.5 * climb,
        )  # hips level the hull, knees its height
        return np.clip(0.5 * torques, -1.0, 1.0).reshape(4).astype(np.float32)

    def _targets(self, angles: Float64, touches: Bool, forward: float) -> Float64:
        """Return the angles (2, 2) of (hip, knee) to hold, NaN where a joint is loose; may change phase."""
        targets = np.full((2, 2), np.nan)
        swinging, carrying = self._swinging, 1 - self._swinging
        if self._phase is _Phase.SWING:
            rise = 0.068 if forward > self._CRUISE else 0.034
            self._carrying_knee = min(self._carrying_knee + rise, self._BENT)
            targets[swinging], targets[carrying, 1] = (1.19, -0.78), self._carrying_knee
            if angles[carrying, 0] < 0.12:
                self._phase = _Phase.LAND
        if self._phase is _Phase.LAND:
            targets[swinging], targets[carrying, 1] = (0.1, self._BENT), self._carrying_knee
            if touches[swinging]:
                self._phase = _Phase.PUSH
                self._carrying_knee = min(float(angles[swinging, 1]), self._BENT)
        if self._phase is _Phase.PUSH:
            targets[swinging, 1], targets[carrying, 1] = self._carrying_knee, 0.93
            if angles[carrying, 1] > 0.72 or forward > 1.2 * self._CRUISE:
                self._phase, self._swinging = _Phase.SWING, carrying
        return targets
