import dataclasses

import numpy as np
import pytest
import torch

from rlhf.policy.autograd import TorchNetwork
from rlhf.policy.q_learning import QConfig, QLearner, td_targets
from rlhf.types.goals import GoalEpisodes, GoalSpace, GoalTransitions

SPACE = GoalSpace(observation_dim=3, goal_dim=2, action_dims=2, action_options=4)
SMALL = QConfig(hidden=(16, 16), batch_size=32)


def transitions(size: int, space: GoalSpace = SPACE, seed: int = 0) -> GoalTransitions:
    rng = np.random.default_rng(seed)

    def normal(width: int) -> np.ndarray:
        return rng.normal(size=(size, width)).astype(np.float32)

    return GoalTransitions(
        observations=normal(space.observation_dim),
        actions=rng.integers(space.action_options, size=(size, space.action_dims)),
        next_observations=normal(space.observation_dim),
        goals=normal(space.goal_dim),
        reached=rng.random(size) < 0.3,
    )


def episodes() -> GoalEpisodes:
    rng = np.random.default_rng(1)
    count, steps = 6, 5
    return GoalEpisodes(
        observations=rng.normal(size=(count, steps + 1, SPACE.observation_dim)).astype(np.float32),
        achieved=rng.normal(size=(count, steps + 1, SPACE.goal_dim)).astype(np.float32),
        desired=rng.normal(size=(count, SPACE.goal_dim)).astype(np.float32),
        actions=np.zeros((count, steps, SPACE.action_dims), np.int64),
        lengths=np.array([5, 3, 1, 5, 4, 2]),
        reached=np.zeros(count, np.bool_),
    )


def test_one_network_chooses_and_the_other_judges() -> None:
    online = np.array([[[0.0, 5.0, 1.0]]], np.float32)
    target = np.array([[[-1.0, -7.0, -2.0]]], np.float32)
    got = td_targets(online, target, np.array([False]), discount=0.9)
    np.testing.assert_allclose(got, [-1.0 - 0.9 * 7.0], rtol=1e-6)


def test_the_choices_of_an_action_share_its_value() -> None:
    online = np.array([[[0.0, 1.0], [1.0, 0.0]]], np.float32)
    target = np.array([[[-9.0, -2.0], [-4.0, -9.0]]], np.float32)
    got = td_targets(online, target, np.array([False]), discount=0.9)
    np.testing.assert_allclose(got, [-1.0 - 0.9 * 3.0], rtol=1e-6)


def test_nothing_comes_after_a_goal_and_no_target_is_out_of_bounds() -> None:
    values = np.array([[[-3.0]], [[50.0]], [[-900.0]]], np.float32)
    got = td_targets(values, values, np.array([True, False, False]), discount=0.9)
    np.testing.assert_allclose(got, [0.0, 0.0, -10.0], rtol=1e-5)


def test_an_update_goes_down_torchs_gradient_of_the_same_loss() -> None:
    learner, batch = QLearner(SMALL, SPACE, np.random.default_rng(0)), transitions(32)
    learner._online.parameters += (
        np.random.default_rng(1).normal(scale=0.3, size=len(learner._online.parameters)).astype(np.float32)
    )
    following = (batch.next_observations, batch.goals)
    targets = td_targets(
        learner.values(*following),
        learner._values_by(learner._target, np.concatenate(following, axis=1)),
        batch.reached,
        SMALL.discount,
    )
    seen = TorchNetwork(learner._online, "cpu")
    values = seen.forward(np.concatenate([batch.observations, batch.goals], axis=1)).reshape(32, 2, 4)
    chosen = values.gather(2, torch.from_numpy(batch.actions)[:, :, None]).mean(dim=(1, 2))
    loss = ((chosen - torch.from_numpy(targets)) ** 2).mean()
    seen.differentiate(0.5 * loss)
    expected = learner._online.gradient.copy()
    assert learner.update(batch) == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(learner._online.gradient, expected, rtol=1e-3, atol=1e-6)


def test_values_come_to_what_the_way_costs() -> None:
    """On a line of five cells with one goal the best values are 0, -1, -1 - gamma, ... next to it and on."""
    space = GoalSpace(observation_dim=5, goal_dim=5, action_dims=1, action_options=2)
    config = QConfig(hidden=(32,), batch_size=64, discount=0.9, target_rate=0.05, learning_rate=3e-3)
    learner, rng, cells = (
        QLearner(config, space, np.random.default_rng(0)),
        np.random.default_rng(1),
        np.eye(5),
    )
    for _ in range(1500):
        cell, goal = rng.integers(5, size=64), rng.integers(5, size=64)
        action = rng.integers(2, size=(64, 1))
        following = np.clip(cell + 2 * action[:, 0] - 1, 0, 4)
        learner.update(
            GoalTransitions(
                observations=cells[cell].astype(np.float32),
                actions=action,
                next_observations=cells[following].astype(np.float32),
                goals=cells[goal].astype(np.float32),
                reached=following == goal,
            )
        )
    far_left = np.tile(cells[0], (4, 1)).astype(np.float32)
    best = learner.values(far_left, cells[1:].astype(np.float32)).max(axis=(1, 2))
    np.testing.assert_allclose(best, [0.0, -1.0, -1.9, -2.71], atol=0.15)


def test_actions_are_the_best_ones_or_random_ones() -> None:
    learner, rng, batch = (
        QLearner(SMALL, SPACE, np.random.default_rng(0)),
        np.random.default_rng(1),
        transitions(400),
    )
    best = learner.values(batch.observations, batch.goals).argmax(axis=2)
    np.testing.assert_array_equal(learner.act(batch.observations, batch.goals, rng, 0.0), best)
    half = learner.act(batch.observations, batch.goals, rng, 0.5)
    assert abs((half == best).all(axis=1).mean() - (0.5 + 0.5 / 16)) < 0.08
    anything = learner.act(batch.observations, batch.goals, rng, 1.0)
    assert {tuple(row) for row in anything} == {(i, j) for i in range(4) for j in range(4)}


def test_units_of_observations_and_goals_do_not_matter() -> None:
    seen = episodes()
    units, zeros = np.float32([100.0, 0.01, 7.0]), np.float32([1000.0, 0.0, -3.0])
    elsewhere = dataclasses.replace(
        seen,
        observations=seen.observations * units + zeros,
        achieved=seen.achieved * np.float32(0.05) + 1,
        desired=seen.desired * np.float32(0.05) + 1,
    )
    found = []
    for known in (seen, elsewhere):
        learner = QLearner(SMALL, SPACE, np.random.default_rng(0))
        learner.observe(known)
        found.append(learner.values(known.observations[:, 0], known.desired))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_what_lies_beyond_the_end_of_an_episode_is_not_seen() -> None:
    seen = episodes()
    beyond = np.arange(seen.observations.shape[1]) > seen.lengths[:, None]
    padded = np.where(beyond[:, :, None], np.float32(1e6), seen.observations)
    found = []
    for known in (seen, dataclasses.replace(seen, observations=padded)):
        learner = QLearner(SMALL, SPACE, np.random.default_rng(0))
        learner.observe(known)
        found.append(learner.values(seen.observations[:, 0], seen.desired))
    np.testing.assert_array_equal(found[0], found[1])


def test_the_target_network_follows_at_its_rate() -> None:
    learner = QLearner(QConfig(hidden=(8,), batch_size=32, target_rate=0.25), SPACE, np.random.default_rng(0))
    before = learner._target.parameters.copy()
    learner.update(transitions(32))
    expected = before + 0.25 * (learner._online.parameters - before)
    np.testing.assert_allclose(learner._target.parameters, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [{"hidden": ()}, {"discount": 1.0}, {"target_rate": 0.0}, {"batch_size": 0}, {"learning_rate": 0.0}],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        QConfig(**settings)  # type: ignore[arg-type]
