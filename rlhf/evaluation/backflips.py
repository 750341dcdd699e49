"""Counts the backflips of the hopper in what it observed. Pure; for people and reports, never for learning.

Judges as a person would who watches: the body leaves the ground, turns over backwards in the air, and comes
down on its foot. It knows the hopper's shape (Gymnasium's ``hopper.xml``) and nothing of any reward.
"""

import numpy as np

from rlhf.checks import check_finite, check_shape
from rlhf.types.experience import Bool, Float32, Int64
from rlhf.types.hopper import OBSERVATION_SIZE, STEP_S, TORSO_ANGLE, posture_of, touches

UPRIGHT = np.pi / 3
"""The torso counts as upright up to this far from the vertical, in radians."""
RECOVERY_STEPS = int(0.2 / STEP_S)
"""A fifth of a second."""
_TURN = 2.0 * np.pi


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
        observations: of one episode of the task, (T+1, 14): height of the torso, sine of its angle (which
            falls when it turns backwards), angles of thigh, leg and foot in radians, six velocities, the
            cosine, the height of the lowest point and whether it touches. Only the posture is looked at.

    Raises:
        ShapeError: they are not a hopper's, or not finite.
    """
    check_shape("observations", observations, (None, OBSERVATION_SIZE))
    check_finite("observations", observations)
    posture = posture_of(observations)
    body_touches, foot_touches = touches(posture)
    on_foot = foot_touches & ~body_touches
    angle = np.unwrap(posture[:, TORSO_ANGLE])
    turn = np.floor(0.5 - angle / _TURN)
    """How many times it has been upside down backwards, less those forwards."""
    upright = np.abs(angle + _TURN * turn) <= UPRIGHT
    landings = []
    ground = 0  # the step at which it came down last
    for start, end in _flights(~(body_touches | foot_touches)):
        stood = upright[ground:start] & (turn[ground:start] == turn[start])
        turned_over = turn[end] == turn[start] + 1
        landing = np.flatnonzero(on_foot[end : end + RECOVERY_STEPS])
        if turned_over and stood.any() and on_foot[start - 1] and len(landing):
            stays_up = upright[end : end + landing[0] + 1].all()
            landings += [end + landing[0]] if stays_up else []
        ground = end
    return np.array(landings, np.int64)


def _flights(is_flying: Bool) -> list[tuple[int, int]]:
    """Return (first step in the air, first step back on the ground) of each flight between two touches."""
    edges = np.diff(is_flying.astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    if is_flying[0]:
        ends = ends[1:]  # it began in the air
    return list(zip(starts.tolist(), ends.tolist(), strict=False))
