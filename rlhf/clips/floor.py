"""The ground the painter's bodies move over: a checkered floor, sky above the horizon and soft shadows.

The squares are fixed to the world, so that they pass by at the body's speed. They are averaged over each
pixel exactly instead of sampled, which keeps the distance free of flicker.
"""

import math

import numpy as np
import numpy.typing as npt

from rlhf.clips.camera import Camera
from rlhf.clips.shapes import within
from rlhf.types.experience import Float32, Float64

_LIGHT = np.array([233, 237, 243], np.float32)
_DARK = np.array([200, 208, 220], np.float32)
_HAZE = np.array([226, 233, 242], np.float32)
_ZENITH = np.array([168, 193, 224], np.float32)

_SHADOW = 0.42
"""Share of the light a body takes away where it touches the floor."""

_PERIOD = 65536
"""Phase units in one light and one dark square: 16-bit integers then wrap around by themselves."""


class Floor:
    """The background of one camera."""

    def __init__(self, camera: Camera, height: float, square: float) -> None:
        """Prepare what does not depend on the state.

        Args:
            camera: lens and direction.
            height: z of the floor, metres.
            square: width of a checker square, metres.
        """
        self._camera = camera
        self._height = height
        self._square = square
        self._columns = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal
        rows = (camera.height / 2 - np.arange(camera.height) - 0.5) / camera.focal
        sine, cosine = math.sin(camera.elevation), math.cos(camera.elevation)
        slope = sine - rows * cosine  # how fast the ray of each row goes down, per unit of depth
        self._horizon = int(np.searchsorted(slope, 0.004))
        self._slope = slope[self._horizon :]
        self._along = cosine + rows[self._horizon :] * sine
        self._sky = _sky(camera.height, self._horizon)
        self._prepared_for = math.nan
        self._depth: Float64
        self._edges: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]

    def paint(self, position: Float64, bodies: Float64) -> Float32:
        """Return the background (3, H, W), 0 to 255, seen from ``position``.

        Args:
            position: where the camera stands (3,).
            bodies: shadows to cast, (K, 7): two end points (x, y, z) and a radius, metres.
        """
        if position[2] != self._prepared_for:
            self._prepare(float(position[2]))
        camera, depth = self._camera, self._depth
        frame = np.empty((3, camera.height, camera.width), np.float32)
        frame[:, : self._horizon] = self._sky[:, : self._horizon, None]
        shift = np.uint16(round(position[0] / (2 * self._square) * _PERIOD) % _PERIOD)
        upper, lower = (_triangle(edge + shift) for edge in self._edges)
        waves = (upper - lower).astype(np.float32)
        # A product of square waves along x and along y, both in [-1, 1], is a checkerboard.
        y = math.fmod(position[1], 2 * self._square) + depth * self._along
        across_y = np.maximum(np.abs(np.gradient(y)), 1e-6)
        waves_y = _averaged_wave(y / self._square, across_y / self._square)
        per_unit = waves_y / (_phase_width(depth, self._square, camera.focal) * 2.0)
        near = np.exp(-0.8 * np.maximum(depth / camera.distance - 1.0, 0.0) ** 1.3)
        for channel in range(3):
            contrast = (_DARK[channel] - _LIGHT[channel]) * near
            base = _HAZE[channel] + (_LIGHT[channel] - _HAZE[channel]) * near + 0.5 * contrast
            ground = frame[channel, self._horizon :]
            np.multiply(waves, (contrast * per_unit).astype(np.float32)[:, None], out=ground)
            ground += base.astype(np.float32)[:, None]
        self._cast_shadows(frame[:, self._horizon :], position, bodies)
        return frame

    def _prepare(self, camera_z: float) -> None:
        """Find where the rows meet the floor, and both edges of each pixel as phases of the pattern."""
        self._depth = np.asarray((camera_z - self._height) / self._slope, np.float64)
        to_phase = _PERIOD / (2 * self._square)
        middle = self._depth[:, None] * self._columns * to_phase
        half = _phase_width(self._depth, self._square, self._camera.focal)[:, None] / 2
        upper, lower = (np.round(middle + sign * half).astype(np.int64) for sign in (1, -1))
        self._edges = upper.astype(np.uint16), lower.astype(np.uint16)
        self._prepared_for = camera_z

    def _cast_shadows(self, ground: Float32, position: Float64, bodies: Float64) -> None:
        """Darken ``ground`` (3, rows, W) under the bodies; the light falls straight down."""
        if not len(bodies):
            return
        radius = bodies[:, 6]
        above = np.maximum(bodies[:, [2, 5]].min(axis=1) - self._height - radius, 0.0)
        blur = 0.5 * radius + 0.22 * above
        strength = _SHADOW * radius / (radius + 0.35 * above)
        ends = np.stack([bodies[:, 0:3], bodies[:, 3:6]])
        ends[:, :, 2] = self._height
        margin = (radius + blur)[:, None]
        corners = np.concatenate([ends + margin * [sx, sy, 0.0] for sx in (-1, 1) for sy in (-1, 1)])
        pixels = self._camera.project(corners, position)[:, :, :2] - [0, self._horizon]
        size = [ground.shape[2], ground.shape[1]]
        low = np.clip(np.floor(pixels.min(axis=0)), 0, size).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)), 0, size).astype(int)
        (left, top), (right, bottom) = low.min(axis=0), high.max(axis=0)
        dark = np.zeros((max(0, bottom - top), max(0, right - left)), np.float32)
        for k in range(len(bodies)):
            cols, rows = slice(low[k, 0], high[k, 0]), slice(low[k, 1], high[k, 1])
            depth = self._depth[rows]
            x = depth[:, None] * self._columns[cols] + (position[0] - bodies[k, 0])
            y = depth * self._along[rows] + (position[1] - bodies[k, 1])
            distance = _distance_to_line(
                x.astype(np.float32), y.astype(np.float32)[:, None], bodies[k, 3:5] - bodies[k, 0:2]
            )
            reach = np.float32(radius[k] + blur[k])
            share = within((reach - distance) / np.float32(2 * blur[k]), 0.0, 1.0)
            part = dark[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
            np.maximum(part, share * share * (3.0 - 2.0 * share) * np.float32(strength[k]), out=part)
        ground[:, top:bottom, left:right] *= 1.0 - dark


def _phase_width(depth: Float64, square: float, focal: float) -> Float64:
    """Return the width of a pixel in phase units, one per row; at most a whole period, at least two units."""
    return np.clip(np.round(depth / focal / (2 * square) * _PERIOD / 2) * 2, 2, _PERIOD)


def _triangle(phase: npt.NDArray[np.uint16]) -> npt.NDArray[np.int32]:
    """Return the integral of the square wave that is +1 in the first half of a period, -1 in the second."""
    signed = phase.view(np.int16)
    return (signed ^ (signed >> 15)).astype(np.int32)


def _averaged_wave(at: Float64, width: Float64) -> Float64:
    """Return the mean over ``width`` around ``at`` of the wave that is +1 in [0, 1), -1 in [1, 2), ..."""

    def integral(x: Float64) -> Float64:
        return 1.0 - 2.0 * np.abs(x / 2 - np.floor(x / 2) - 0.5)

    return (integral(at + width / 2) - integral(at - width / 2)) / width


def _distance_to_line(x: Float32, y: Float32, axis: Float64) -> Float32:
    """Return the distance of points to the line from the origin to ``axis``."""
    length = float(axis @ axis)
    if length < 1e-8:
        return np.asarray(np.sqrt(x * x + y * y), np.float32)
    axis_x, axis_y = np.float32(axis[0]), np.float32(axis[1])
    share = np.asarray((x * axis_x + y * axis_y) / np.float32(length), np.float32)
    share = within(share, 0.0, 1.0)
    off_x, off_y = x - share * axis_x, y - share * axis_y
    return np.asarray(np.sqrt(off_x * off_x + off_y * off_y), np.float32)


def _sky(height: int, horizon: int) -> Float32:
    """Return one colour per row (3, H), from the horizon's haze to the zenith."""
    up = np.clip((horizon - np.arange(height, dtype=np.float32)) / (0.6 * height), 0.0, 1.0)
    return np.asarray(_HAZE + (_ZENITH - _HAZE) * up[:, None] ** 0.8, np.float32).T
