"""What a hopper that turns over observes, and where its parts are then.

The shape is that of Gymnasium's ``hopper.xml``.
"""

import numpy as np

from rlhf.types.experience import Bool, Float32, Float64

TUMBLER = "Tumbler-v0"
"""Gymnasium id of ``experience.tumbler``."""
TORSO_ANGLE, TORSO_TURNING = 1, 7
"""Places of the torso's angle and of its velocity."""
COSINE = 11
"""Where it sees the cosine of the torso's angle."""
HEIGHT_CLEAR, ON_GROUND = 12, 13
"""Where it sees how high its lowest point is, and whether it touches the ground."""
OBSERVATION_SIZE = 14
STANDING = (1.25, *[0.0] * 10, 1.0, 0.0, 1.0)
"""What it observes when it stands still and upright."""
STEP_S = 0.016
"""Seconds between two observations of a tumbler."""
CLEARANCE = 0.01
"""What is higher than this, in metres, does not touch the ground."""
_HALF_TORSO, _RADIUS = 0.2, 0.05
"""From the middle of the torso to the middle of its ends, and how thick torso and thigh are around it."""


def observe_turning(states: Float64) -> Float64:
    """Return what a tumbler observes, (..., 14): a turn later it looks the same.

    Args:
        states: height of the torso, its angle, angles of thigh, leg and foot, and the six velocities, in
            metres, radians and seconds, (..., 11). The sine takes the place of the torso's angle; its cosine
            follows, then the height of the hopper's lowest point and whether that is on the ground, 0 or 1.
    """
    angle = states[..., TORSO_ANGLE]
    clear = np.minimum(*lowest_points(states))
    added = np.stack((np.cos(angle), clear, clear <= CLEARANCE), axis=-1)
    seen = np.concatenate((states, added), axis=-1)
    seen[..., TORSO_ANGLE] = np.sin(angle)
    return seen


def posture_of(observations: Float32 | Float64) -> Float64:
    """Return the height of the torso's middle, its angle in (-pi, pi], and those of its joints, (T, 5).

    Args:
        observations: of a tumbler, (T, 14).
    """
    posture = observations[:, :5].astype(np.float64)
    posture[:, TORSO_ANGLE] = np.arctan2(observations[:, TORSO_ANGLE], observations[:, COSINE])
    return posture


def touches(posture: Float64) -> tuple[Bool, Bool]:
    """Return whether the body (torso, thigh, leg) is on the ground, and whether the foot is, two (T,)."""
    body, foot = lowest_points(posture)
    return body <= CLEARANCE, foot <= CLEARANCE


def torso_touches(height: Float64, angle: Float64) -> Bool:
    """Return whether the torso is on the ground.

    Args:
        height: of its middle, in metres, any shape.
        angle: of the same, in radians.
    """
    touching: Bool = height - _HALF_TORSO * np.abs(np.cos(angle)) - _RADIUS <= CLEARANCE
    return touching


def lowest_points(posture: Float64) -> tuple[Float64, Float64]:
    """Return the height of the lowest point of body (torso, thigh, leg) and of the foot, two (...) in metres.

    Args:
        posture: height of the torso's middle, its angle, and the angles of thigh, leg and foot, (..., 5);
            what may follow is not looked at.
    """
    height, torso_angle, *joints = (posture[..., k] for k in range(5))
    thigh_angle = torso_angle - joints[0]
    leg_angle = thigh_angle - joints[1]
    foot_angle = leg_angle - joints[2]
    head = height + _HALF_TORSO * np.cos(torso_angle)
    hip = height - _HALF_TORSO * np.cos(torso_angle)
    knee = hip - 0.45 * np.cos(thigh_angle)
    ankle = knee - 0.5 * np.cos(leg_angle)
    heel = ankle + 0.13 * np.sin(foot_angle)
    toe = ankle - 0.26 * np.sin(foot_angle)
    body = np.minimum.reduce([head - _RADIUS, hip - _RADIUS, knee - _RADIUS, ankle - 0.04])
    return body, np.minimum(heel, toe) - 0.06
