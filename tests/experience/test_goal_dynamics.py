import numpy as np
import pytest

from rlhf.experience.goal_dynamics import (
    LOT,
    ROOMS_SIDE,
    BitFlip,
    CarPark,
    FourRooms,
    GoalDynamics,
    rooms_walls,
)

EVERY = pytest.mark.parametrize(
    "dynamics", [BitFlip(), FourRooms(), CarPark()], ids=lambda one: type(one).__name__
)
CALM = np.empty((1, 0))
STRAIGHT, FULL_LEFT = 2, 4
BRAKE, ROLL, SPEED_UP = 0, 1, 2


def drive(state: list[float], steering: int, pedal: int, steps: int, **settings: float) -> np.ndarray:
    """Return the states of a car, (steps + 1, 4)."""
    states = [np.array([state])]
    for _ in range(steps):
        states.append(CarPark(**settings).step(states[-1], np.array([steering * 3 + pedal]), CALM))
    return np.concatenate(states)


@EVERY
def test_no_episode_begins_at_its_goal(dynamics: GoalDynamics) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        state, goal = dynamics.begin(rng)
        assert not dynamics.reached(dynamics.achieve(state[None])[0], goal)


@EVERY
def test_every_state_reaches_the_goal_that_it_is(dynamics: GoalDynamics) -> None:
    rng = np.random.default_rng(0)
    states = np.stack([dynamics.begin(rng)[0] for _ in range(50)])
    for _ in range(dynamics.horizon):
        states = dynamics.step(
            states, rng.integers(dynamics.space.action_options, size=50), np.empty((50, 0))
        )
        achieved = dynamics.achieve(states)
        assert dynamics.reached(achieved, achieved).all()


@EVERY
def test_sizes_are_those_that_are_said(dynamics: GoalDynamics) -> None:
    state, goal = dynamics.begin(np.random.default_rng(0))
    assert dynamics.observe(state[None]).shape == (1, dynamics.space.observation_dim)
    assert goal.shape == (dynamics.space.goal_dim,)
    assert dynamics.observe(state[None]).dtype == goal.dtype == np.float32


def test_flipping_every_differing_bit_reaches_the_goal_at_the_last_one() -> None:
    dynamics, rng = BitFlip(), np.random.default_rng(1)
    state, goal = dynamics.begin(rng)
    differing = np.flatnonzero(dynamics.observe(state[None])[0] != goal)
    states = state[None]
    for bit in differing:
        assert not dynamics.reached(dynamics.achieve(states)[0], goal)
        states = dynamics.step(states, np.array([bit]), CALM)
    assert dynamics.reached(dynamics.achieve(states)[0], goal)


def test_walkers_never_stand_in_a_wall_and_see_all_rooms() -> None:
    dynamics, rng = FourRooms(), np.random.default_rng(0)
    states, seen = np.full((200, 2), 1.0), np.zeros((ROOMS_SIDE, ROOMS_SIDE), np.bool_)
    for _ in range(600):
        states = dynamics.step(states, rng.integers(4, size=200), np.empty((200, 0)))
        seen[tuple(states.astype(int).T)] = True
    assert not (seen & rooms_walls()).any()
    assert seen[~rooms_walls()].mean() > 0.95


def test_goals_are_in_another_room() -> None:
    dynamics, rng = FourRooms(), np.random.default_rng(0)
    for _ in range(200):
        start, goal = dynamics.begin(rng)
        cell = goal.reshape(2, -1).argmax(axis=1)
        assert not rooms_walls()[tuple(cell)]
        assert ((start > ROOMS_SIDE // 2) != (cell > ROOMS_SIDE // 2)).any()


def test_every_cell_can_be_walked_to_in_half_the_horizon() -> None:
    distance = np.full((ROOMS_SIDE, ROOMS_SIDE), -1)
    distance[1, 1] = 0
    edge = [(1, 1)]
    while edge:
        row, column = edge.pop(0)
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if not rooms_walls()[cell] and distance[cell] < 0:
                distance[cell] = distance[row, column] + 1
                edge.append(cell)
    assert (distance >= 0).sum() == (~rooms_walls()).sum()
    assert distance.max() <= FourRooms().horizon / 2


def test_wind_carries_the_walker_off_as_often_as_it_says() -> None:
    dynamics, rng = FourRooms(wind=0.4), np.random.default_rng(0)
    states = np.full((4000, 2), 3.0)
    following = dynamics.step(states, np.zeros(4000, np.int64), rng.random((4000, 2)))
    assert abs((following[:, 0] != 2.0).mean() - 0.4 * 3 / 4) < 0.03


def test_a_car_that_rolls_straight_keeps_heading_and_speed() -> None:
    states = drive([0.0, 0.0, np.pi / 6, 2.0], STRAIGHT, ROLL, 5)
    np.testing.assert_allclose(states[-1], [3 * np.cos(np.pi / 6), 1.5, np.pi / 6, 2.0], atol=1e-12)


@pytest.mark.parametrize("wheelbase", [2.6, 3.9])
def test_a_steered_car_goes_round_in_the_circle_of_its_wheelbase(wheelbase: float) -> None:
    states = drive([0.0, -2.0, 0.0, 1.0], FULL_LEFT, ROLL, 40, wheelbase=wheelbase)
    rear = states[:, :2] - wheelbase / 2 * np.stack([np.cos(states[:, 2]), np.sin(states[:, 2])], axis=1)
    radius = wheelbase / np.tan(np.deg2rad(35.0))
    centre = np.array([-wheelbase / 2, radius - 2.0])
    np.testing.assert_allclose(np.linalg.norm(rear - centre, axis=1), radius, rtol=2e-3)


def test_brakes_and_reverse_have_a_bound_each() -> None:
    assert drive([0.0, 0.0, 0.0, 0.0], STRAIGHT, SPEED_UP, 8)[-1, 3] == 4.0
    assert drive([0.0, 0.0, 0.0, 0.0], STRAIGHT, BRAKE, 8)[-1, 3] == -2.0


def test_the_kerb_stops_a_car() -> None:
    states = drive([11.0, 0.0, 0.0, 4.0], STRAIGHT, ROLL, 2)
    assert states[-1].tolist() == [LOT[0], 0.0, 0.0, 0.0]


def test_a_bay_is_reached_near_its_middle_and_pointing_its_way_only() -> None:
    dynamics = CarPark()
    goal = dynamics.achieve(np.array([[3.0, 6.25, np.pi / 2, 0.0]]))[0]
    poses = np.array(
        [
            [3.7, 6.25, np.pi / 2, 2.0],
            [3.9, 6.25, np.pi / 2, 0.0],
            [3.0, 6.25, np.pi / 2 + 0.3, 0.0],
            [3.0, 6.25, np.pi / 2 + 0.4, 0.0],
            [3.0, 6.25, -np.pi / 2, 0.0],
        ]
    )
    assert dynamics.reached(dynamics.achieve(poses), goal).tolist() == [True, False, True, False, False]
    np.testing.assert_allclose(dynamics.pose_of(goal), [3.0, 6.25, np.pi / 2, 0.0], atol=1e-6)


@EVERY
def test_an_observation_shows_its_state(dynamics: GoalDynamics) -> None:
    rng = np.random.default_rng(0)
    states = np.stack([dynamics.begin(rng)[0] for _ in range(20)])
    for _ in range(3):
        actions = rng.integers(dynamics.space.action_options, size=20)
        states = dynamics.step(states, actions, rng.random((20, dynamics.noise_dim)))
    assert dynamics.states_of(dynamics.observe(states)) == pytest.approx(states, abs=1e-5)
