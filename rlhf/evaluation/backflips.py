"""Counts the backflips of the hopper in what it observed. Pure; for people and reports, never for learning.

Judges as a person would who watches: the body leaves the ground, turns over backwards in the air, and comes
down on its foot. It knows the hopper's shape (Gymnasium's ``hopper.xml``) and nothing of any reward.
"""

import numpy as np

from rlhf.checks import check_finite, check_shape
from rlhf.types.experience import Bool, Float32, Float64, Int64

STEP_S = 0.008
"""Seconds between two observations."""
UPRIGHT = np.pi / 3
"""The torso counts as upright up to this far from the vertical, in radians."""
CLEARANCE = 0.01
"""What is higher than this, in metres, does not touch the ground."""
RECOVERY_STEPS = 25
"""A fifth of a second."""
_TURN = 2.0 * np.pi
_OBSERVATION_SIZE = 11


def count_backflips(observations: Float32) -> int:
    """Return how many full backward turns take off and land upright; see ``backflip_landings``."""
    return len(backflip_landings(observations))


def backflip_landings(observations: Float32) -> Int64:
    """Return the steps at which backflips end, (K,), in order.

    A backflip is a stretch without any touch of the ground in which the torso passes upside down, turning
    backwards. It starts from the foot after the torso has been upright, and ends when the foot alone is on
    the ground, one turn on, with the torso within ``UPRIGHT`` of the vertical ever since something touched. A
    knee may touch first, but the hopper must be on its foot within ``RECOVERY_STEPS``.

    Args:
        observations: of one episode of the hopper, (T+1, 11), as the environment gives them: height of the
            torso, its angle (radians, falling when it turns backwards), angles of thigh, leg and foot, and
            six velocities, which are not looked at.

    Raises:
        ShapeError: they are not a hopper's, or not finite.
    """
    check_shape("observations", observations, (None, _OBSERVATION_SIZE))
    check_finite("observations", observations)
    posture = observations[:, :5].astype(np.float64)
    body, foot = lowest_points(posture)
    on_foot = (foot <= CLEARANCE) & (body > CLEARANCE)
    angle = np.unwrap(posture[:, 1])
    turn = np.floor(0.5 - angle / _TURN)
    """How many times it has been upside down backwards, less those forwards."""
    upright = np.abs(angle + _TURN * turn) <= UPRIGHT
    landings = []
    ground = 0  # the step at which it came down last
    for start, end in _flights(np.minimum(body, foot) > CLEARANCE):
        stood = upright[ground:start] & (turn[ground:start] == turn[start])
        turned_over = turn[end] == turn[start] + 1
        landing = np.flatnonzero(on_foot[end : end + RECOVERY_STEPS])
        if turned_over and stood.any() and on_foot[start - 1] and len(landing):
            stays_up = upright[end : end + landing[0] + 1].all()
            landings += [end + landing[0]] if stays_up else []
        ground = end
    return np.array(landings, np.int64)


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


def _flights(is_flying: Bool) -> list[tuple[int, int]]:
    """Return (first step in the air, first step back on the ground) of each flight between two touches."""
    edges = np.diff(is_flying.astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    if is_flying[0]:
        ends = ends[1:]  # it began in the air
    return list(zip(starts.tolist(), ends.tolist(), strict=False))
