"""The worlds here: a corridor of seven cells, and a point that is pushed along a line."""

import dataclasses

import numpy as np
import pytest

from rlhf.policy.dynamics import Choices, DynamicsConfig, DynamicsModel, Steps
from rlhf.policy.foresight import ForesightConfig, Planner, RealFutures
from rlhf.types.experience import Actions, Bool, Float32

CELLS = 7
LEFT_RIGHT = Choices(1, 2)
SMALL = DynamicsConfig(members=3, hidden=(32, 32), batch_size=64, capacity=4000)
PLAN = ForesightConfig(horizon=5, caution=0.0)


class Corridor:
    """The policy goes left. ``rewards[i]`` is paid for entering cell i, and entering ``end`` ends it."""

    discount = 0.9

    def __init__(self, rewards: list[float], end: int | None = None) -> None:
        self.paid, self.end = np.array(rewards, np.float32), end

    def rewards(
        self, states: Float32, actions: Actions, following: Float32, ended: Bool
    ) -> tuple[Float32, Bool]:
        cells = following.argmax(axis=-1)
        return self.paid[cells], cells == self.end

    def values(self, states: Float32) -> Float32:
        worth: Float32 = 1e-3 * states.argmax(axis=-1).astype(np.float32)  # nearly nothing, but not all alike
        return worth

    def act(self, states: Float32) -> Actions:
        return np.zeros((*states.shape[:3], 1), np.int64)


@pytest.fixture(scope="module")
def corridor() -> DynamicsModel:
    model = DynamicsModel(SMALL, CELLS, 2, np.random.default_rng(0))
    cells, actions = np.repeat(np.arange(CELLS), 2), np.tile([0, 1], CELLS)
    following = np.clip(cells + 2 * actions - 1, 0, CELLS - 1)
    eye = np.eye(CELLS, dtype=np.float32)
    columns = LEFT_RIGHT.to_columns(actions[:, None])
    for index in range(40):
        episodes = np.full(len(cells), index)
        model.add(Steps(eye[cells], columns, eye[following], np.zeros(len(cells), np.bool_), episodes))
    model.fit(600)
    return model


def everywhere() -> Float32:
    return np.eye(CELLS, dtype=np.float32)


def planner(model: DynamicsModel, judge: Corridor, config: ForesightConfig = PLAN) -> Planner:
    made = Planner(config, model, LEFT_RIGHT)
    made.calibrate(going_right(config.horizon), judge)
    return made


def going_right(horizon: int, speed: int = 1) -> RealFutures:
    """Return what follows from each cell, in a corridor where a step right takes one so many cells on."""
    cells = np.clip(np.arange(CELLS)[:, None] + speed * np.arange(horizon + 1), 0, CELLS - 1)
    return RealFutures(
        states=np.eye(CELLS, dtype=np.float32)[cells],
        actions=np.ones((CELLS, horizon, 1), np.int64),
        ended=np.zeros((CELLS, horizon), np.bool_),
    )


@pytest.mark.parametrize("most", [1024, 1])
def test_a_policy_that_goes_the_wrong_way_is_overruled_as_far_as_it_can_be_seen(
    corridor: DynamicsModel, most: int
) -> None:
    judge = Corridor([0, 0, 0, 0, 0, 0, 1], end=CELLS - 1)
    config = dataclasses.replace(PLAN, max_sequences=most)  # looks at all of them, or searches
    plan = planner(corridor, judge, config).plan(everywhere(), judge, np.random.default_rng(0))
    seen = np.arange(CELLS) >= CELLS - 1 - PLAN.horizon
    assert plan.overruled[1:].tolist() == seen[1:].tolist()
    assert plan.actions[1:, 0].tolist() == seen[1:].astype(int).tolist()


def test_the_policy_is_left_alone_where_it_is_right(corridor: DynamicsModel) -> None:
    judge = Corridor([1, 0, 0, 0, 0, 0, 0], end=0)
    plan = planner(corridor, judge).plan(everywhere(), judge, np.random.default_rng(0))
    assert not plan.overruled[1:].any()


def test_nothing_is_gained_after_the_end(corridor: DynamicsModel) -> None:
    # Cell 5 pays most at once, and ends; going on between 0 and 4 pays more in the long run.
    rewards = [1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 0.0]
    judge = Corridor(rewards, end=5)
    going_on, over = (
        planner(corridor, one).plan(everywhere()[[4]], one, np.random.default_rng(0))
        for one in (judge, Corridor(rewards))
    )
    assert not going_on.overruled[0]
    assert over.overruled[0]


def test_nobody_is_overruled_for_less_than_the_margin(corridor: DynamicsModel) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        judge = Corridor(list(rng.normal(size=CELLS)))
        gains = planner(corridor, judge).plan(everywhere(), judge, rng).gains
        config = dataclasses.replace(PLAN, margin=float(np.median(gains)))
        if config.margin > 0:
            plan = planner(corridor, judge, config).plan(everywhere(), judge, rng)
            assert (plan.gains[plan.overruled] > config.margin).all()
            assert not plan.overruled[plan.gains <= config.margin].any()


def test_without_real_futures_nobody_is_overruled_until_there_are_some(corridor: DynamicsModel) -> None:
    judge = Corridor([0, 0, 0, 0, 0, 0, 1], end=CELLS - 1)
    made, rng = planner(corridor, judge), np.random.default_rng(0)
    real = going_right(PLAN.horizon)
    made.calibrate(RealFutures(*(part[:0] for part in real)), judge)
    assert not made.plan(everywhere(), judge, rng).overruled.any()
    made.calibrate(real, judge)
    assert made.plan(everywhere(), judge, rng).overruled.any()


def test_who_foretold_real_futures_wrongly_needs_a_greater_gain(corridor: DynamicsModel) -> None:
    judge = Corridor([0, 1, 2, 3, 4, 5, 6])
    as_foretold, turned_round = 1, -1
    overruled = {}
    for speed in (as_foretold, turned_round):
        for doubt in (0.0, 1.0):
            config = dataclasses.replace(PLAN, doubt=doubt)
            made = Planner(config, corridor, LEFT_RIGHT)
            made.calibrate(going_right(config.horizon, speed), judge)
            plan = made.plan(everywhere(), judge, np.random.default_rng(0))
            overruled[speed, doubt] = int(plan.overruled.sum())
    assert overruled[as_foretold, 1.0] == overruled[as_foretold, 0.0] == CELLS
    assert overruled[turned_round, 1.0] < overruled[turned_round, 0.0] == CELLS


def test_real_futures_end_where_they_ended(corridor: DynamicsModel) -> None:
    # What comes after the end is worth nothing, so that it cannot have been foretold wrongly.
    judge = Corridor([1, 0, 0, 0, 0, 0, 0], end=1)
    real = going_right(PLAN.horizon)
    nonsense = real.states.copy()
    nonsense[0, 2:] = np.eye(CELLS, dtype=np.float32)[0]  # cell 0 pays, but its future is over by then
    plans = []
    for states in (real.states, nonsense):
        made = Planner(PLAN, corridor, LEFT_RIGHT)
        made.calibrate(real._replace(states=states), judge)
        plans.append(made.plan(everywhere(), judge, np.random.default_rng(0)))
    assert np.array_equal(plans[0].overruled, plans[1].overruled)


class Line:
    """Rewards being near 0. The policy does nothing."""

    discount = 0.9

    def rewards(
        self, states: Float32, actions: Actions, following: Float32, ended: Bool
    ) -> tuple[Float32, Bool]:
        paid: Float32 = -np.square(following[..., 0])
        return paid, ended

    def values(self, states: Float32) -> Float32:
        worth: Float32 = -np.square(states[..., 0])
        return worth

    def act(self, states: Float32) -> Actions:
        return np.zeros((*states.shape[:3], 1), np.float32)


def taught(low: float, high: float) -> DynamicsModel:
    """Return a model of pushes that has been between two places."""
    rng = np.random.default_rng(0)
    states = rng.uniform(low, high, (2000, 1)).astype(np.float32)
    actions = rng.uniform(-1, 1, (2000, 1)).astype(np.float32)
    model = DynamicsModel(SMALL, 1, 1, rng)
    model.add(Steps(states, actions, states + 0.3 * actions, np.zeros(2000, np.bool_), np.arange(2000)))
    model.fit(600)
    return model


def line_planner(model: DynamicsModel, states: Float32) -> Planner:
    made = Planner(dataclasses.replace(PLAN, horizon=3, candidates=64, elites=8), model, Choices(1, 0))
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (len(states), 3, 1)).astype(np.float32)
    moved = 0.3 * np.concatenate([np.zeros((len(states), 1, 1), np.float32), actions], axis=1)
    happened = states[:, None] + moved.cumsum(axis=1, dtype=np.float32)
    made.calibrate(RealFutures(happened, actions, np.zeros((len(states), 3), np.bool_)), Line())
    return made


def test_a_search_finds_how_hard_to_push() -> None:
    made = line_planner(taught(-1, 1), np.linspace(-1, 1, 40, dtype=np.float32)[:, None])
    states = np.array([[-0.8], [0.0], [0.15], [0.8]], np.float32)
    first, again = (made.plan(states, Line(), np.random.default_rng(0)) for _ in range(2))
    assert first.actions[0] > 0.8
    assert not first.overruled[1]
    assert first.actions[2] == pytest.approx(-0.5, abs=0.2)
    assert first.actions[3] < -0.8
    assert np.array_equal(first.actions, again.actions)


def test_futures_that_members_disagree_about_do_not_count() -> None:
    made = line_planner(taught(-1, 0), np.linspace(-1, 0, 40, dtype=np.float32)[:, None])
    plan = made.plan(np.array([[-0.8], [3.0]], np.float32), Line(), np.random.default_rng(0))
    assert plan.overruled.tolist() == [True, False]
    assert plan.actions[1] == 0.0


def test_actions_become_columns() -> None:
    assert Choices(2, 3).to_columns(np.array([[0, 2]])).tolist() == [[1, 0, 0, 0, 0, 1]]
    assert Choices(2, 0).to_columns(np.array([[0.5, -1.0]])).tolist() == [[0.5, -1.0]]


@pytest.mark.parametrize(
    "changes",
    [{"horizon": 0}, {"margin": -0.1}, {"doubt": -1.0}, {"trusted": 0.0}, {"elites": 200}, {"rounds": 0}],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        dataclasses.replace(ForesightConfig(), **changes)  # type: ignore[arg-type]
