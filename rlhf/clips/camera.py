"""Where the painter's camera stands: chosen from the MuJoCo model, follows the body, one pose per state.

A pinhole camera that always has the world's x axis to its right, so that running forwards is running to the
right. It looks from the side where the body can only move in the vertical plane, from above where it can
only move in the horizontal one, and from a tilted view otherwise. Knows nothing of colours or pixels of
other sizes than its own.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.types.experience import Float64

SIDE, TILTED, TOP = math.radians(7.0), math.radians(32.0), math.radians(72.0)
"""How far the camera looks down, by kind of motion."""

_HALF_FIELD_OF_VIEW = math.radians(13.0)
_HEIGHT_IN_RADII = 2.7
"""Height of the view over the radius of the body that is followed."""

_SCENE_MARGIN = 1.12
"""Size of the view over the size of a scene that stays in its place."""

_SIDE_CENTRE = 0.36
"""Height of the view's centre over the floor, as a share of the view, seen from the side."""

_MAX_FREE_RISE = 0.095
"""Share of the picture's height the body may rise above the centre before the camera rises with it."""

_FREE, _SLIDE, _HINGE = 0, 2, 3
"""Values of MuJoCo's ``mjtJoint``."""

_SPHERE, _CAPSULE, _CYLINDER = 2, 3, 5
"""Values of MuJoCo's ``mjtGeom``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Camera:
    """A fixed lens and direction; ``position`` says where it stands for one state."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    elevation: float
    """Angle looked down by, radians in (0, pi/2]."""
    distance: float
    """From the camera to the point looked at, metres."""
    focal: float
    """Pixels per unit of (offset / depth)."""
    field_of_view: float
    """Whole vertical opening angle, radians."""
    follows: tuple[bool, bool]
    """Whether the camera follows the body along x and y."""
    centre: tuple[float, float, float]
    """Point looked at where it is not followed, metres."""
    root: int
    """Body whose centre of mass, with all below it, is followed."""

    def target(self, data: Any) -> Float64:
        """Return the point looked at (3,), metres, for the state in a MuJoCo ``data``."""
        mass = data.subtree_com[self.root]
        x = mass[0] if self.follows[0] else self.centre[0]
        y = mass[1] if self.follows[1] else self.centre[1]
        view_height = self.height * self.distance / self.focal
        rise = mass[2] - self.centre[2] - _MAX_FREE_RISE * view_height * math.cos(self.elevation)
        return np.array([x, y, self.centre[2] + max(0.0, rise)])

    def position(self, data: Any) -> Float64:
        """Return where the camera stands (3,), metres, for the state in a MuJoCo ``data``."""
        backwards = np.array([0.0, -math.cos(self.elevation), math.sin(self.elevation)])
        return self.target(data) + backwards * self.distance

    def project(self, points: npt.ArrayLike, position: Float64) -> Float64:
        """Return pixel x, pixel y and depth in metres, (..., 3), of world points (..., 3)."""
        offset = np.asarray(points, np.float64) - position
        sine, cosine = math.sin(self.elevation), math.cos(self.elevation)
        depth = np.maximum(offset[..., 1] * cosine - offset[..., 2] * sine, 1e-3)
        up = offset[..., 1] * sine + offset[..., 2] * cosine
        pixel_x = self.width / 2 + self.focal * offset[..., 0] / depth
        pixel_y = self.height / 2 - self.focal * up / depth
        return np.stack([pixel_x, pixel_y, depth], axis=-1)


def choose_camera(model: Any, data: Any, floor: float, width: int, height: int) -> Camera:
    """Return the camera that suits a model.

    Args:
        model: MuJoCo ``mjModel`` with at least one moving body.
        data: its ``mjData`` in the reference position, after ``mj_forward``.
        floor: height of the floor, metres.
        width: picture width, pixels.
        height: picture height, pixels.
    """
    elevation = _elevation(model, data)
    moving = [g for g in range(model.ngeom) if model.geom_bodyid[g] > 0]
    root = int(model.body_rootid[model.geom_bodyid[moving[0]]]) if moving else 0
    follows = _translations(model, root) if moving else (False, False)
    # A body that travels is followed by its centre of mass; one that is fixed swings about its first joint.
    centre = data.subtree_com[root].copy() if any(follows) else data.xpos[root].copy()
    reach = [float(np.linalg.norm(data.geom_xpos[g] - centre) + model.geom_rbound[g]) for g in moving]
    radius = max(reach, default=1.0)
    view_height = _HEIGHT_IN_RADII * radius
    if not any(follows):
        centre, half = _scene(model, data, root, radius)
        sine, cosine = math.sin(elevation), math.cos(elevation)
        up = half[2] * cosine + half[1] * sine
        view_height = _SCENE_MARGIN * 2 * max(half[0] * height / width, up)
    elif elevation == SIDE:
        # From the side the floor belongs in the lower part of the picture; from above the body is the middle.
        centre[2] = floor + _SIDE_CENTRE * view_height
    return Camera(
        width=width,
        height=height,
        elevation=elevation,
        distance=view_height / 2 / math.tan(_HALF_FIELD_OF_VIEW),
        focal=height / 2 / math.tan(_HALF_FIELD_OF_VIEW),
        field_of_view=2 * _HALF_FIELD_OF_VIEW,
        follows=follows,
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        root=root,
    )


def _scene(model: Any, data: Any, root: int, radius: float) -> tuple[Float64, Float64]:
    """Return the middle and the half extents, metres, of a scene that stays in its place."""
    low, high = data.xpos[root] - radius, data.xpos[root] + radius
    for joint in _joints(model, root):
        if model.jnt_type[joint] == _SLIDE and model.jnt_limited[joint]:
            along = np.abs(data.xaxis[joint])
            low, high = low + along * model.jnt_range[joint][0], high + along * model.jnt_range[joint][1]
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] == 0 and model.geom_rbound[geom] > 0:  # planes have no bounding radius
            reach = np.abs(data.geom_xmat[geom].reshape(3, 3)) @ _half_lengths(model, geom)
            low = np.minimum(low, data.geom_xpos[geom] - reach)
            high = np.maximum(high, data.geom_xpos[geom] + reach)
    return (low + high) / 2, (high - low) / 2


def _half_lengths(model: Any, geom: int) -> Float64:
    size: Float64 = np.array(model.geom_size[geom], np.float64)
    if model.geom_type[geom] == _SPHERE:
        return size[[0, 0, 0]]
    if model.geom_type[geom] in (_CAPSULE, _CYLINDER):
        size = np.array([size[0], size[0], size[0] + size[1]])
    return size


def _elevation(model: Any, data: Any) -> float:
    """Return how steeply to look down, from the axes about which joints turn."""
    if (model.jnt_type == _FREE).any():
        return TILTED
    axes = np.abs(data.xaxis[model.jnt_type == _HINGE])
    if len(axes) and (axes[:, 1] > 0.99).all():
        return SIDE
    if len(axes) and (axes[:, 2] > 0.99).all():
        return TOP
    return TILTED


def _translations(model: Any, root: int) -> tuple[bool, bool]:
    """Return whether the root body itself can travel without limit along x and along y."""
    along = np.zeros(3, bool)
    for joint in _joints(model, root):
        if model.jnt_type[joint] == _FREE:
            along[:] = True
        elif model.jnt_type[joint] == _SLIDE and not model.jnt_limited[joint]:
            along |= np.abs(model.jnt_axis[joint]) > 0.5
    return bool(along[0]), bool(along[1])


def _joints(model: Any, body: int) -> range:
    first = int(model.body_jntadr[body])
    return range(first, first + int(model.body_jntnum[body]))
