"""What a hopper that turns over observes, and where its parts are then.

The shape is that of Gymnasium's ``hopper.xml``.
"""

import numpy as np

from rlhf.types.experience import Bool, Float32, Float64

TUMBLER = "Tumbler-v0"
"""Gymnasium id of ``experience.tumbler``."""
TORSO_ANGLE, TORSO_TURNING = 1, 7
"""Places of the torso's angle and of its velocity."""
OBSERVATION_SIZE = 12
STEP_S = 0.016
"""Seconds between two observations of a tumbler."""
CLEARANCE = 0.01
"""What is higher than this, in metres, does not touch the ground."""


def observe_turning(states: Float64) -> Float64:
    """Return what a tumbler observes, (..., 12): a turn later it looks the same.

    Args:
        states: height of the torso, its angle, angles of thigh, leg and foot, and the six velocities, in
            metres, radians and seconds, (..., 11). The sine takes the place of the torso's angle; the cosine
            comes last.
    """
    angle = states[..., TORSO_ANGLE, None]
    seen = np.concatenate((states, np.cos(angle)), axis=-1)
    seen[..., TORSO_ANGLE] = np.sin(angle[..., 0])
    return seen


def posture_of(observations: Float32 | Float64) -> Float64:
    """Return the height of the torso's middle, its angle in (-pi, pi], and those of its joints, (T, 5).

    Args:
        observations: of a tumbler, (T, 12).
    """
    posture = observations[:, :5].astype(np.float64)
    posture[:, TORSO_ANGLE] = np.arctan2(observations[:, TORSO_ANGLE], observations[:, -1])
    return posture


def touches(posture: Float64) -> tuple[Bool, Bool]:
    """Return whether the body (torso, thigh, leg) is on the ground, and whether the foot is, two (T,)."""
    body, foot = lowest_points(posture)
    return body <= CLEARANCE, foot <= CLEARANCE


def lowest_points(posture: Float64) -> tuple[Float64, Float64]:
    """Return the height of the lowest point of body (torso, thigh, leg) and of the foot, two (T,) in metres.

    Args:
        posture: height of the torso's middle, its angle, and the angles of thigh, leg and foot, (T, 5).
    """
    height, torso_angle = posture[:, 0], posture[:, 1]
    thigh_angle, leg_angle, foot_angle = (
        torso_angle - np.cumsum(posture[:, 2:], axis=1).T[k] for k in range(3)
    )
    head = height + 0.2 * np.cos(torso_angle)
    hip = height - 0.2 * np.cos(torso_angle)
    knee = hip - 0.45 * np.cos(thigh_angle)
    ankle = knee - 0.5 * np.cos(leg_angle)
    heel = ankle + 0.13 * np.sin(foot_angle)
    toe = ankle - 0.26 * np.sin(foot_angle)
    body = np.minimum.reduce([head - 0.05, hip - 0.05, knee - 0.05, ankle - 0.04])
    return body, np.minimum(heel, toe) - 0.06
