"""Draws MuJoCo states without any graphics library, from the poses of the geoms.

Faster than a software OpenGL for the few solids that a walking robot has, and the same on every machine.
Spheres, capsules, cylinders, boxes and ellipsoids are drawn as they are; a mesh as its convex outline.
Reads positions only: the simulator is never stepped here.
"""

from typing import Any

import numpy as np

from rlhf.clips.camera import SIDE, Camera, choose_camera
from rlhf.clips.floor import Floor
from rlhf.clips.shapes import Canvas, draw_bar, draw_face, outline_of, shades
from rlhf.types.experience import Float32, Float64

_PLANE, _HFIELD, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX, _MESH = range(8)
"""Values of MuJoCo's ``mjtGeom``."""

_COLOURS = ((236, 140, 66), (74, 128, 214), (46, 170, 150), (214, 92, 120), (150, 112, 204), (222, 184, 70))
"""What the model's own distinct colours, in order, are drawn with."""

_SCENERY = (168, 178, 192)
_LAYER_DEPTH = 0.2
"""Metres by which one solid lies before the next where all move in one plane."""

_VISIBLE_GROUPS = 3
"""MuJoCo shows geom groups 0, 1 and 2 by default."""


def can_paint(model: Any) -> bool:
    """Return whether every visible geom of a MuJoCo model is one that the painter draws exactly."""
    shown = _visible(model)
    simple = {_PLANE, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX}
    return all(int(model.geom_type[g]) in simple for g in shown) and not (model.nskin or model.nflex)


class Painter:
    """Pictures of one MuJoCo model; the view follows the body."""

    def __init__(self, model: Any, data: Any, width: int, height: int) -> None:
        """Choose the view and the colours.

        Args:
            model: MuJoCo ``mjModel``.
            data: an ``mjData`` of it in the reference position, after ``mj_forward``.
            width: pixels.
            height: pixels.
        """
        self._model = model
        shown = _visible(model)
        solids = [g for g in reversed(shown) if model.geom_type[g] not in (_PLANE, _HFIELD)]
        self._solids = sorted(solids, key=lambda g: bool(model.geom_bodyid[g] > 0))  # scenery first
        floor = floor_height(model, data)
        self._camera = choose_camera(model, data, floor, width, height)
        self._floor = Floor(self._camera, floor, _square(self._camera))
        self._palettes = _palettes(model, self._solids)
        # Limbs that share a plane (left and right leg) would cut into each other; they are layered instead.
        self._layer = _LAYER_DEPTH if self._camera.elevation == SIDE else 0.0

    def draw(self, data: Any) -> np.ndarray:
        """Return the picture, uint8 (H, W, 3), of the state in ``data`` after ``mj_forward``."""
        position = self._camera.position(data)
        axes = {g: data.geom_xmat[g].reshape(3, 3) for g in self._solids}
        ends = {g: self._core(g, data.geom_xpos[g], axes[g]) for g in self._solids}
        colour = self._floor.paint(position, self._shadows(ends))
        canvas = Canvas(colour, np.full(colour.shape[1:], np.inf, np.float32))
        for layer, geom in enumerate(self._solids):
            lift = -layer * self._layer
            if self._model.geom_type[geom] in (_SPHERE, _CAPSULE):
                self._draw_bar(canvas, geom, ends[geom], position, lift)
            else:
                self._draw_faces(canvas, geom, data.geom_xpos[geom], axes[geom], position, lift)
        picture = np.empty((*colour.shape[1:], 3), np.uint8)
        for channel in range(3):
            picture[..., channel] = colour[channel]
        return picture

    def _core(self, geom: int, centre: Float64, axes: Float64) -> Float64:
        """Return both ends (2, 3) of a geom's longest straight line that lies a radius inside it."""
        kind, size = int(self._model.geom_type[geom]), self._model.geom_size[geom]
        half = size[1] if kind in (_CAPSULE, _CYLINDER) else 0.0
        return np.stack([centre - axes[:, 2] * half, centre + axes[:, 2] * half])

    def _shadows(self, ends: dict[int, Float64]) -> Float64:
        moving = [g for g in self._solids if self._model.geom_bodyid[g] > 0]
        rows = [[*ends[g].ravel(), self._radius(g)] for g in moving]
        return np.array(rows, np.float64).reshape(len(rows), 7)

    def _radius(self, geom: int) -> float:
        if self._model.geom_type[geom] == _MESH:
            return 0.7 * float(self._model.geom_rbound[geom])
        return float(self._model.geom_size[geom][0])

    def _draw_bar(self, canvas: Canvas, geom: int, ends: Float64, position: Float64, lift: float) -> None:
        projected = self._camera.project(ends, position)
        thickness = float(self._model.geom_size[geom][0])
        radii = self._camera.focal * thickness / projected[:, 2]
        projected[:, 2] += lift
        draw_bar(canvas, projected, radii, thickness, self._palettes[geom])

    def _draw_faces(
        self, canvas: Canvas, geom: int, centre: Float64, axes: Float64, position: Float64, lift: float
    ) -> None:
        faces = _box_faces(self._model.geom_size[geom]) if self._model.geom_type[geom] == _BOX else None
        if faces is None:
            points = self._camera.project(centre + self._surface(geom) @ axes.T, position)
            points[:, 2] += lift
            draw_face(canvas, outline_of(points), 0.5, self._palettes[geom])
            return
        for normal, corners in faces:
            towards = position - (centre + axes @ normal)
            outward = axes @ normal / np.linalg.norm(normal)
            if outward @ towards > 0:
                points = self._camera.project(centre + corners @ axes.T, position)
                points[:, 2] += lift
                draw_face(canvas, points, float(outward @ (-0.3, -0.55, 0.78)), self._palettes[geom])

    def _surface(self, geom: int) -> Float64:
        """Return points (N, 3) on a geom's surface, in its own axes."""
        model = self._model
        if model.geom_type[geom] == _MESH:
            mesh = int(model.geom_dataid[geom])
            first = int(model.mesh_vertadr[mesh])
            vertices = model.mesh_vert[first : first + int(model.mesh_vertnum[mesh])]
            return np.asarray(vertices[:: max(1, len(vertices) // 200)], np.float64)
        turn = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1)
        size = model.geom_size[geom]
        if model.geom_type[geom] == _CYLINDER:
            top = np.array([0.0, 0.0, size[1]])
            return np.concatenate([ring * size[0] + top, ring * size[0] - top])
        up = np.array([0.0, 0.0, 1.0])
        rings = [ring * np.sqrt(1 - h * h) + up * h for h in np.linspace(-1.0, 1.0, 9)]
        surface: Float64 = np.concatenate(rings) * size
        return surface


def _visible(model: Any) -> list[int]:
    return [
        g
        for g in range(model.ngeom)
        if model.geom_group[g] < _VISIBLE_GROUPS and (model.geom_rgba[g][3] > 0 or model.geom_matid[g] >= 0)
    ]


def floor_height(model: Any, data: Any) -> float:
    """Return the height of the floor, metres: the highest plane, or below everything where there is none."""
    shown = _visible(model)
    planes = [float(data.geom_xpos[g][2]) for g in shown if model.geom_type[g] == _PLANE]
    if planes:
        return max(planes)
    return min((float(data.geom_xpos[g][2] - model.geom_rbound[g]) for g in shown), default=0.0)


def _square(camera: Camera) -> float:
    """Return the width of a floor square, a round number of metres: about six fit across the picture."""
    across = camera.width * camera.distance / camera.focal
    return float(min((0.05, 0.1, 0.25, 0.5, 1.0, 2.0), key=lambda width: abs(np.log(across / 6 / width))))


def _palettes(model: Any, solids: list[int]) -> dict[int, Float32]:
    """Return the shades of each geom: one hue per distinct colour of the model, grey for what never moves.

    Every second link of a limb is a little lighter, so that joints show.
    """
    hues: dict[tuple[float, ...], int] = {}
    depths = np.zeros(model.nbody, int)
    for body in range(1, model.nbody):
        depths[body] = depths[model.body_parentid[body]] + 1
    palettes = {}
    for geom in reversed(solids):
        body = int(model.geom_bodyid[geom])
        if body == 0:
            palettes[geom] = shades(np.array(_SCENERY, np.float32))
            continue
        own = tuple(np.round(model.geom_rgba[geom], 2).tolist())
        colour = np.array(_COLOURS[hues.setdefault(own, len(hues)) % len(_COLOURS)], np.float32)
        lighter = 0.16 if depths[body] % 2 == 0 else 0.0
        palettes[geom] = shades(colour + (255.0 - colour) * lighter)
    return palettes


def _box_faces(size: Float64) -> list[tuple[Float64, Float64]]:
    """Return (centre, corners (4, 3)) of the six faces of a box of half lengths ``size``, in its own axes."""
    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            centre = np.zeros(3)
            centre[axis] = sign * size[axis]
            corners = np.tile(centre, (4, 1))
            corners[:, u] = np.array([-1, 1, 1, -1]) * size[u]
            corners[:, v] = np.array([-1, -1, 1, 1]) * size[v]
            faces.append((centre, corners))
    return faces
