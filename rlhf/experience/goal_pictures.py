"""Pictures of the systems with goals: the state in blue, its goal in orange. Drawn in memory, with pygame."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.experience.goal_dynamics import (
    BAY_LENGTH,
    BAY_WIDTH,
    BAYS_PER_SIDE,
    LOT,
    ROOMS_SIDE,
    BitFlip,
    CarPark,
    FourRooms,
    GoalDynamics,
    rooms_walls,
)
from rlhf.types.experience import Float32, Float64

Picture = npt.NDArray[np.uint8]
"""(H, W, 3), RGB."""

_PAPER, _WALL, _LINE = (247, 247, 245), (58, 64, 74), (205, 208, 212)
_BLUE, _ORANGE, _GLASS = (31, 111, 191), (240, 140, 40), (190, 220, 245)
_FINER = 2
"""Drawn so many times larger and then averaged, for smooth edges."""


def draw(dynamics: GoalDynamics, state: Float64, goal: Float32) -> Picture:
    """Return the picture of one state (S,) and one goal (G,), with even sides.

    Raises:
        TypeError: nobody has said how these dynamics look.
    """
    if isinstance(dynamics, BitFlip):
        return _draw_bits(state, goal)
    if isinstance(dynamics, FourRooms):
        return _draw_rooms(state, goal)
    if isinstance(dynamics, CarPark):
        return _draw_car_park(dynamics, state, goal)
    raise TypeError(f"there are no pictures of {type(dynamics).__name__}.")


def _draw_bits(state: Float64, goal: Float32) -> Picture:
    """Two rows of lamps: what is above, what is wanted below; a bar joins lamps that differ."""
    import pygame

    width, height = 480, 160
    surface, cell = _sheet(width, height), _FINER * width / len(state)
    radius = int(min(0.36 * cell, 40 * _FINER))
    for column, (bit, wanted) in enumerate(zip(state > 0.5, goal > 0, strict=True)):
        x, top, bottom = int((column + 0.5) * cell), int(50 * _FINER), int(110 * _FINER)
        if bit != wanted:
            pygame.draw.line(surface, _WALL, (x, top), (x, bottom), max(2, radius // 3))
        for y, is_on, colour in ((top, bit, _BLUE), (bottom, wanted, _ORANGE)):
            pygame.draw.circle(surface, colour if is_on else _PAPER, (x, y), radius)
            pygame.draw.circle(surface, colour, (x, y), radius, max(2, radius // 6))
    return _finish(surface, width, height)


def _draw_rooms(state: Float64, goal: Float32) -> Picture:
    """Walls from above, the walker as a disc, the wanted cell filled."""
    import pygame

    side = 24
    cell, width = side * _FINER, side * ROOMS_SIDE
    surface = _sheet(width, width)
    for row, column in np.argwhere(rooms_walls()):
        surface.fill(_WALL, (column * cell, row * cell, cell, cell))
    row, column = np.argmax(goal.reshape(2, ROOMS_SIDE), axis=1)
    inset = cell // 10
    surface.fill(_ORANGE, (column * cell + inset, row * cell + inset, cell - 2 * inset, cell - 2 * inset))
    centre = ((state[1] + 0.5) * cell, (state[0] + 0.5) * cell)
    pygame.draw.circle(surface, _BLUE, centre, 0.36 * cell)
    return _finish(surface, width, width)


def _draw_car_park(dynamics: CarPark, state: Float64, goal: Float32) -> Picture:
    """The place from above, y up; the wanted pose as an empty outline with its front marked."""
    import pygame

    scale, margin = 16 * _FINER, 2.5
    width, height = (int(2 * (half + margin) * scale / _FINER) for half in LOT)

    def place(points: Float64) -> Float64:
        placed: Float64 = (points * (1.0, -1.0) + LOT + margin) * scale
        return placed

    surface = _sheet(width, height)
    for side in (-1.0, 1.0):
        for line in range(BAYS_PER_SIDE + 1):
            x = (line - BAYS_PER_SIDE / 2) * BAY_WIDTH
            kerb, lane = place(np.array([[x, side * LOT[1]], [x, side * (LOT[1] - BAY_LENGTH)]]))
            pygame.draw.line(surface, _LINE, kerb, lane, 3 * _FINER)
    corner, opposite = place(np.array([[-LOT[0], LOT[1]], [LOT[0], -LOT[1]]]))
    pygame.draw.rect(surface, _WALL, (*corner, *(opposite - corner)), 2 * _FINER)
    outline, front = _car_outline(dynamics.pose_of(goal))
    pygame.draw.polygon(surface, _ORANGE, place(outline), 3 * _FINER)
    pygame.draw.polygon(surface, _ORANGE, place(front))
    outline, front = _car_outline(state)
    pygame.draw.polygon(surface, _BLUE, place(outline))
    pygame.draw.polygon(surface, _GLASS, place(front))
    return _finish(surface, width, height)


def _car_outline(state: Float64) -> tuple[Float64, Float64]:
    """Return the corners of the car, (4, 2), and of its windscreen, (4, 2), in metres."""
    along = np.array([np.cos(state[2]), np.sin(state[2])])
    across = np.array([-along[1], along[0]])

    def box(rear: float, front: float, half_width: float) -> Float64:
        ends = ((rear, -half_width), (front, -half_width), (front, half_width), (rear, half_width))
        return np.array([state[:2] + u * along + v * across for u, v in ends])

    return box(-2.1, 2.1, 0.95), box(0.6, 1.3, 0.75)


def _sheet(width: int, height: int) -> Any:
    """Return an empty surface to draw on, ``_FINER`` times the picture's size."""
    import pygame

    surface = pygame.Surface((width * _FINER, height * _FINER), depth=24)
    surface.fill(_PAPER)
    return surface


def _finish(surface: Any, width: int, height: int) -> Picture:
    import pygame

    small = pygame.transform.smoothscale(surface, (width, height))
    return np.ascontiguousarray(pygame.surfarray.array3d(small).swapaxes(0, 1))
