"""Scripted experts: hand-written controllers that show how a task is done.

Each is made anew for every episode and maps one raw observation (D,) to one action as policies give them.
They know what the numbers of an observation mean, and nothing of rewards.
"""

import numpy as np

from rlhf.types.experience import Float32


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
