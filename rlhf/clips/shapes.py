"""Draws single solids into a float picture: rounded bars (spheres too) and convex flat faces.

Edges are smooth because each pixel's cover comes from its distance to the outline, and a depth picture lets
solids pass in front of and through each other. Knows pixels and depths only, no simulator.
"""

import dataclasses

import numpy as np

from rlhf.types.experience import Float32, Float64

_TO_LIGHT = np.array([-0.36, -0.62, 0.70], np.float32)
"""Direction to the light: right, down, towards the viewer; of length 1."""

_OUTLINE_PIXELS = 1.4
_LEVELS = 256


@dataclasses.dataclass(frozen=True)
class Canvas:
    """A picture under construction."""

    colour: Float32
    """(3, H, W), 0 to 255; one plane per channel, which numpy fills several times faster."""
    depth: Float32
    """(H, W), metres from the viewer's plane; infinite where nothing was drawn."""


def shades(colour: Float32) -> Float32:
    """Return the colours (3, 256) that a surface takes from turned away (0) to facing the light (255).

    Args:
        colour: (3,), 0 to 255.
    """
    light = np.linspace(0.0, 1.0, _LEVELS, dtype=np.float32)[:, None]
    shadow = colour * 0.42 + np.array([8, 10, 30], np.float32)
    lit = shadow + (colour * 1.06 - shadow) * np.minimum(light / 0.8, 1.0) ** 0.9
    gloss = np.clip((light - 0.86) / 0.14, 0.0, 1.0) ** 2
    ramp: Float32 = np.clip(lit + (255.0 - lit) * 0.42 * gloss, 0.0, 255.0)
    return ramp.T.copy()


def within(values: Float32, low: float, high: float) -> Float32:
    """Limit ``values`` in place and return them; for small arrays several times faster than ``np.clip``."""
    np.maximum(values, low, out=values)
    return np.minimum(values, high, out=values)


def draw_bar(canvas: Canvas, ends: Float64, radii: Float64, thickness: float, palette: Float32) -> None:
    """Draw a bar with round ends; a sphere where both ends are the same point.

    Args:
        canvas: drawn into.
        ends: (2, 3): pixel x, pixel y and depth in metres of both ends.
        radii: (2,), pixels at both ends.
        thickness: radius in metres.
        palette: from ``shades``.
    """
    height, width = canvas.depth.shape
    (x0, y0, depth0), (x1, y1, depth1) = ends
    reach = float(radii.max()) + 1.0
    left, right = max(0, int(min(x0, x1) - reach)), min(width, int(max(x0, x1) + reach) + 2)
    top, bottom = max(0, int(min(y0, y1) - reach)), min(height, int(max(y0, y1) + reach) + 2)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - x0)
    y = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - y0))[:, None]
    dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
    length = max(float(dx * dx + dy * dy), 1e-6)
    share = within(x * (dx / np.float32(length)) + y * (dy / np.float32(length)), 0.0, 1.0)
    off_x, off_y = x - share * dx, y - share * dy
    squared = off_x * off_x + off_y * off_y
    inside = np.flatnonzero(squared < reach * reach)
    share, off_x, off_y = share.take(inside), off_x.take(inside), off_y.take(inside)
    distance = np.sqrt(squared.take(inside))
    radius = np.float32(radii[0]) + share * np.float32(radii[1] - radii[0])
    towards = np.sqrt(np.maximum(1.0 - (distance / radius) ** 2, 0.0))
    light = (off_x * _TO_LIGHT[0] + off_y * _TO_LIGHT[1]) / radius + towards * _TO_LIGHT[2]
    depth = np.float32(depth0) + share * np.float32(depth1 - depth0) - towards * np.float32(thickness)
    pixels = inside + inside // (right - left) * (width - right + left) + (top * width + left)
    _blend(canvas, pixels, radius - distance, light, depth, palette)


def draw_face(canvas: Canvas, corners: Float64, light: float, palette: Float32) -> None:
    """Draw a flat convex face.

    Args:
        canvas: drawn into.
        corners: (K, 3), in order around the face: pixel x, pixel y and depth in metres.
        light: how much the face looks at the light, -1 to 1.
        palette: from ``shades``.
    """
    height, width = canvas.depth.shape
    low, high = corners[:, :2].min(axis=0) - 1.0, corners[:, :2].max(axis=0) + 2.0
    left, right = max(0, int(low[0])), min(width, int(high[0]))
    top, bottom = max(0, int(low[1])), min(height, int(high[1]))
    edges = np.roll(corners, -1, axis=0)[:, :2] - corners[:, :2]
    following = np.roll(corners, -1, axis=0)
    area = float(np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]))
    if left >= right or top >= bottom or abs(area) < 1e-3:
        return
    x = np.arange(left, right, dtype=np.float32) + np.float32(0.5)
    y = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5))[:, None]
    cover = np.full((bottom - top, right - left), np.inf, np.float32)
    for (corner_x, corner_y, _), (dx, dy) in zip(corners, edges, strict=True):
        scale = np.float32(np.sign(area) / max(np.hypot(dx, dy), 1e-6))
        side = (y - np.float32(corner_y)) * (np.float32(dx) * scale) - (x - np.float32(corner_x)) * (
            np.float32(dy) * scale
        )
        np.minimum(cover, side, out=cover)
    inside = np.flatnonzero(cover > -1.0)
    rows, cols = np.divmod(inside, right - left)
    pixels = (rows + top) * width + cols + left
    depth = _plane_depth(corners, cols + left + 0.5, rows + top + 0.5)
    level = np.full(len(inside), light, np.float32)
    _blend(canvas, pixels, cover.ravel()[inside], level, depth, palette)


def outline_of(points: Float64) -> Float64:
    """Return the corners of the convex hull, in order, of projected points (N, 3) by their pixels."""
    order = sorted(range(len(points)), key=lambda i: (points[i, 0], points[i, 1]))
    chains: list[list[int]] = []
    for indices in (order, order[::-1]):
        chain: list[int] = []
        for i in indices:
            while len(chain) > 1 and _turn(points[chain[-2]], points[chain[-1]], points[i]) <= 0:
                chain.pop()
            chain.append(i)
        chains.append(chain[:-1])
    return points[chains[0] + chains[1]]


def _blend(
    canvas: Canvas, pixels: np.ndarray, edge: Float32, light: Float32, depth: Float32, palette: Float32
) -> None:
    """Mix a solid into the picture at flat ``pixels``; ``edge``: pixels by which each lies inside it."""
    depths = canvas.depth.reshape(-1)
    behind = depths.take(pixels) - depth
    # Where two solids meet the nearer one takes over within a centimetre, which smooths the seam.
    cover = within(edge + 0.5, 0.0, 1.0) * within(behind * 100.0 + 0.5, 0.0, 1.0)
    rim = within(edge / np.float32(_OUTLINE_PIXELS), 0.35, 1.0)
    level = within((light * 0.5 + 0.5) * rim * (_LEVELS - 1), 0, _LEVELS - 1).astype(np.intp)
    for plane, ramp in zip(canvas.colour.reshape(3, -1), palette, strict=True):
        old = plane.take(pixels)
        old += (ramp.take(level) - old) * cover
        plane[pixels] = old
    depths[pixels] = np.where(cover > 0.5, depth, behind + depth)


def _plane_depth(corners: Float64, x: Float64, y: Float64) -> Float32:
    """Return the depth of a face under pixels, by a plane through its corners (least squares)."""
    middle = corners.mean(axis=0)
    offsets = corners - middle
    slope, *_ = np.linalg.lstsq(offsets[:, :2], offsets[:, 2], rcond=None)
    depth: Float64 = middle[2] + (x - middle[0]) * slope[0] + (y - middle[1]) * slope[1]
    return depth.astype(np.float32)


def _turn(a: Float64, b: Float64, c: Float64) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
