"""BitFlip, FourRooms and CarPark: small systems with goals, as pure functions of N states at once, in numpy.

A goal is the part of a state that somebody wants to see; it is reached when what a state achieves is near
enough. Knows nothing of episodes, drawing or learning.
"""

import dataclasses
from typing import Protocol

import numpy as np

from rlhf.types.experience import Bool, Float32, Float64, Int64
from rlhf.types.goals import GoalSpace


class GoalDynamics(Protocol):
    """One system with goals and a single discrete action per step."""

    @property
    def space(self) -> GoalSpace:
        """Sizes."""

    @property
    def horizon(self) -> int:
        """Steps that are enough for any goal, with some to spare."""

    @property
    def noise_dim(self) -> int:
        """Uniform numbers from [0, 1) that one step takes; 0 where nothing is left to chance."""

    def begin(self, rng: np.random.Generator) -> tuple[Float64, Float32]:
        """Return a first state (S,) and a goal (G,) that it does not reach."""

    def step(self, states: Float64, actions: Int64, noise: Float64) -> Float64:
        """Return the states (N, S) that actions (N,) and noise (N, ``noise_dim``) lead to."""

    def observe(self, states: Float64) -> Float32:
        """Return the observations (N, D) of states."""

    def states_of(self, observations: Float32) -> Float64:
        """Return the states (N, S) that observations (N, D) show, or the nearest to what they show."""

    def achieve(self, states: Float64) -> Float32:
        """Return the goals (N, G) that states achieve."""

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Return whether goals (..., G) are reached, (...)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitFlip:
    """A row of bits of which each action flips one; the goal is another row.

    State: the bits, 0 or 1. Observations and goals show them as -1 or 1.

    Source: https://arxiv.org/abs/1707.01495, the motivating example.
    """

    num_bits: int = 15
    """By chance the goal is met about once in 2^num_bits states."""

    @property
    def space(self) -> GoalSpace:
        """One action per bit."""
        n = self.num_bits
        return GoalSpace(observation_dim=n, goal_dim=n, action_dims=1, action_options=n)

    @property
    def horizon(self) -> int:
        """Each bit can be flipped once."""
        return self.num_bits

    @property
    def noise_dim(self) -> int:
        """Nothing is left to chance."""
        return 0

    def begin(self, rng: np.random.Generator) -> tuple[Float64, Float32]:
        """Return a random row and another one."""
        bits, wanted = rng.integers(0, 2, size=(2, self.num_bits)).astype(np.float64)
        if (bits == wanted).all():
            wanted[0] = 1.0 - wanted[0]
        return bits, self.achieve(wanted)

    def step(self, states: Float64, actions: Int64, noise: Float64) -> Float64:
        """Flip one bit of each row."""
        following = states.copy()
        rows = np.arange(len(states))
        following[rows, actions] = 1.0 - following[rows, actions]
        return following

    def observe(self, states: Float64) -> Float32:
        """Return the bits as -1 and 1."""
        return (2.0 * states - 1.0).astype(np.float32)

    def states_of(self, observations: Float32) -> Float64:
        """Return the bits, 0 or 1."""
        return (observations > 0).astype(np.float64)

    def achieve(self, states: Float64) -> Float32:
        """Return the bits as -1 and 1."""
        return self.observe(states)

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Return whether all bits agree."""
        agree: Bool = np.all(achieved == desired, axis=-1)
        return agree


ROOMS_SIDE = 15
_MIDDLE = ROOMS_SIDE // 2
_DOORS = ((_MIDDLE, 3), (_MIDDLE, 11), (3, _MIDDLE), (11, _MIDDLE))
_MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])


def rooms_walls() -> Bool:
    """Return where the walls of FourRooms are, (15, 15) by row and column."""
    walls = np.zeros((ROOMS_SIDE, ROOMS_SIDE), np.bool_)
    walls[[0, _MIDDLE, -1], :] = walls[:, [0, _MIDDLE, -1]] = True
    walls[tuple(np.transpose(_DOORS))] = False
    return walls


_WALLS = rooms_walls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class FourRooms:
    """A walk through four rooms with a door between neighbours; the goal is a cell of another room.

    State: row and column. Observations and goals show both one-hot, since a wall between two cells makes near
    numbers far apart. Actions: up, right, down, left; a wall stops them.
    """

    wind: float = 0.0
    """Chance that a step goes in a random direction instead."""

    @property
    def space(self) -> GoalSpace:
        """Four actions."""
        return GoalSpace(
            observation_dim=2 * ROOMS_SIDE, goal_dim=2 * ROOMS_SIDE, action_dims=1, action_options=4
        )

    @property
    def horizon(self) -> int:
        """About twice the longest way."""
        return 50

    @property
    def noise_dim(self) -> int:
        """Whether the wind blows, and where to."""
        return 2 if self.wind else 0

    def begin(self, rng: np.random.Generator) -> tuple[Float64, Float32]:
        """Return two cells of different rooms."""
        rooms = rng.choice(4, size=2, replace=False)
        inside = rng.integers(1, _MIDDLE, size=(2, 2))
        cells = inside + _MIDDLE * np.stack([rooms // 2, rooms % 2], axis=1)
        start, goal = cells.astype(np.float64)
        return start, self.achieve(goal[None])[0]

    def step(self, states: Float64, actions: Int64, noise: Float64) -> Float64:
        """Go to the next cell unless there is a wall."""
        if self.wind:
            actions = np.where(noise[:, 0] < self.wind, (4 * noise[:, 1]).astype(np.int64), actions)
        following = states + _MOVES[actions]
        row, column = following.astype(np.int64).T
        return np.where(_WALLS[row, column][:, None], states, following)

    def observe(self, states: Float64) -> Float32:
        """Return row and column, one-hot."""
        return np.eye(ROOMS_SIDE, dtype=np.float32)[states.astype(np.int64)].reshape(len(states), -1)

    def states_of(self, observations: Float32) -> Float64:
        """Return the likeliest row and column."""
        places: Int64 = observations.reshape(len(observations), 2, ROOMS_SIDE).argmax(axis=2)
        return places.astype(np.float64)

    def achieve(self, states: Float64) -> Float32:
        """Return row and column, one-hot."""
        return self.observe(states)

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Return whether it is the same cell."""
        agree: Bool = np.all(achieved == desired, axis=-1)
        return agree


LOT = np.array([12.0, 9.0])
"""Half the length and half the width of the car park, m."""
BAYS_PER_SIDE = 7
BAY_WIDTH, BAY_LENGTH = 3.0, 5.5
_TOP_SPEED = np.array([-2.0, 4.0])
_TIME_STEP = 0.3
_STEERING = np.deg2rad([-35.0, -17.5, 0.0, 17.5, 35.0])
_ACCELERATION = np.array([-2.0, 0.0, 2.0])
_NEAR = 0.8
_NEAR_ANGLE = np.deg2rad(20.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CarPark:
    """A car that is to stand in a bay, pointing in or out as asked for, coming from anywhere.

    State: position of the car's middle (m), heading (rad), speed (m/s). Actions: five steering angles times
    brake or reverse, roll, accelerate. A goal is a position and a heading, reached within 0.8 m and 20
    degrees; at which speed does not matter. The wheels roll without slipping (a kinematic bicycle whose
    middle is half a wheelbase before the rear axle).
    """

    wheelbase: float = 2.6
    """Distance of the axles, m; the longer, the wider the turns."""

    @property
    def space(self) -> GoalSpace:
        """Fifteen actions."""
        options = len(_STEERING) * len(_ACCELERATION)
        return GoalSpace(observation_dim=5, goal_dim=4, action_dims=1, action_options=options)

    @property
    def horizon(self) -> int:
        """Eighteen seconds."""
        return 60

    @property
    def noise_dim(self) -> int:
        """Nothing is left to chance."""
        return 0

    def begin(self, rng: np.random.Generator) -> tuple[Float64, Float32]:
        """Return a car at rest between the rows of bays, and the pose of a bay."""
        room = LOT - (2.0, BAY_LENGTH)
        state = np.array([*rng.uniform(-room, room), rng.uniform(-np.pi, np.pi), 0.0])
        side, points_in = rng.choice((-1.0, 1.0), size=2)
        column = rng.integers(BAYS_PER_SIDE) - BAYS_PER_SIDE // 2
        pose = np.array(
            [column * BAY_WIDTH, side * (LOT[1] - BAY_LENGTH / 2), side * points_in * np.pi / 2, 0]
        )
        return state, self.achieve(pose[None])[0]

    def step(self, states: Float64, actions: Int64, noise: Float64) -> Float64:
        """Integrate 0.3 s along the arc that the steering gives; the kerb around the place stops the car."""
        steering = _STEERING[actions // len(_ACCELERATION)]
        position, heading, speed = states[:, :2], states[:, 2], states[:, 3]
        new_speed = np.clip(speed + _TIME_STEP * _ACCELERATION[actions % len(_ACCELERATION)], *_TOP_SPEED)
        distance = _TIME_STEP * (speed + new_speed) / 2
        turn = distance * np.tan(steering) / self.wheelbase
        rear = position - self.wheelbase / 2 * _direction(heading)
        rear = rear + distance[:, None] * _direction(heading + turn / 2)
        heading = (heading + turn + np.pi) % (2 * np.pi) - np.pi
        free = rear + self.wheelbase / 2 * _direction(heading)
        inside = np.clip(free, -LOT, LOT)
        new_speed = np.where((inside == free).all(axis=1), new_speed, 0.0)
        return np.column_stack((inside, heading, new_speed))

    def observe(self, states: Float64) -> Float32:
        """Return the goal that a state is, and the speed in units of the highest."""
        return np.column_stack((self.achieve(states), states[:, 3] / _TOP_SPEED[1])).astype(np.float32)

    def states_of(self, observations: Float32) -> Float64:
        """Return position, heading and speed."""
        x, y, cosine, sine, speed = observations.astype(np.float64).T
        return np.column_stack((x * LOT[0], y * LOT[1], np.arctan2(sine, cosine), speed * _TOP_SPEED[1]))

    def achieve(self, states: Float64) -> Float32:
        """Return the position in units of the place, and cosine and sine of the heading."""
        return np.column_stack((states[:, :2] / LOT, _direction(states[:, 2]))).astype(np.float32)

    def reached(self, achieved: Float32, desired: Float32) -> Bool:
        """Return whether position and heading are near enough."""
        offset = (achieved[..., :2] - desired[..., :2]) * LOT
        alignment = (achieved[..., 2:] * desired[..., 2:]).sum(axis=-1)
        near: Bool = (offset**2).sum(axis=-1) <= _NEAR**2
        aligned: Bool = alignment >= np.cos(_NEAR_ANGLE)
        return np.logical_and(near, aligned)

    def pose_of(self, goal: Float32) -> Float64:
        """Return the state at rest that achieves a goal (G,)."""
        return np.array([*(goal[:2] * LOT), np.arctan2(goal[3], goal[2]), 0.0])


def _direction(heading: Float64) -> Float64:
    return np.stack((np.cos(heading), np.sin(heading)), axis=-1)
