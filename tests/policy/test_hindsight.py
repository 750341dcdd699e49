import numpy as np
import pytest

from rlhf.policy.hindsight import HindsightConfig, HindsightReplay
from rlhf.types.experience import Bool, Float32
from rlhf.types.goals import GoalEpisodes, GoalSpace

HORIZON = 6
SPACE = GoalSpace(observation_dim=2, goal_dim=2, action_dims=1, action_options=3)


def same(achieved: Float32, desired: Float32) -> Bool:
    return np.equal(achieved, desired).all(axis=-1)


def episodes(lengths: list[int], first: int = 0) -> GoalEpisodes:
    """Observation t of episode e is (e, t), and so is what it achieves; its goal is (-1, e); padding: NaN."""
    count = len(lengths)
    stamps = np.full((count, HORIZON + 1, 2), np.nan, np.float32)
    actions = np.full((count, HORIZON, 1), -1)
    for e, length in enumerate(lengths):
        for t in range(length + 1):
            stamps[e, t] = first + e, t
        actions[e, :length, 0] = np.arange(length) % 3
    return GoalEpisodes(
        observations=stamps,
        achieved=stamps,
        desired=np.array([[-1, first + e] for e in range(count)], np.float32),
        actions=actions,
        lengths=np.array(lengths),
        reached=np.zeros(count, np.bool_),
    )


def replay(ratio: float, capacity: int = 60) -> HindsightReplay:
    return HindsightReplay(HindsightConfig(ratio=ratio, capacity=capacity), SPACE, HORIZON, same)


def test_without_hindsight_every_step_keeps_its_own_goal() -> None:
    memory = replay(0.0)
    memory.add(episodes([6, 3]))
    batch = memory.sample(500, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.goals[:, 0], np.full(500, -1.0))
    np.testing.assert_array_equal(batch.goals[:, 1], batch.observations[:, 0])
    assert not batch.reached.any()


def test_a_goal_of_hindsight_was_achieved_later_in_the_same_episode() -> None:
    memory = replay(1e9)
    memory.add(episodes([6, 3, 1]))
    batch = memory.sample(3000, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.goals[:, 0], batch.observations[:, 0])
    ahead = batch.goals[:, 1] - batch.observations[:, 1]
    assert set(ahead[batch.observations[:, 0] == 0]) == {1, 2, 3, 4, 5, 6}
    np.testing.assert_array_equal(batch.reached, ahead == 1)


def test_each_later_moment_is_as_likely() -> None:
    memory = replay(1e9)
    memory.add(episodes([4]))
    batch = memory.sample(8000, np.random.default_rng(0))
    later = batch.goals[batch.observations[:, 1] == 0, 1]
    shares = [(later == t).mean() for t in (1, 2, 3, 4)]
    np.testing.assert_allclose(shares, 0.25, atol=0.04)


def test_the_share_of_hindsight_is_its_ratio() -> None:
    memory = replay(4.0)
    memory.add(episodes([6]))
    batch = memory.sample(4000, np.random.default_rng(0))
    assert abs((batch.goals[:, 0] >= 0).mean() - 0.8) < 0.03


def test_steps_are_drawn_evenly_and_padding_never() -> None:
    memory = replay(0.0)
    memory.add(episodes([1, 6, 3]))
    batch = memory.sample(6000, np.random.default_rng(0))
    assert np.isfinite(batch.next_observations).all()
    assert (batch.actions >= 0).all()
    np.testing.assert_array_equal(batch.next_observations[:, 1], batch.observations[:, 1] + 1)
    shares = [(batch.observations[:, 0] == e).mean() for e in range(3)]
    np.testing.assert_allclose(shares, [0.1, 0.6, 0.3], atol=0.03)


def test_the_oldest_episodes_are_forgotten_first() -> None:
    memory = replay(0.0, capacity=3 * HORIZON)
    memory.add(episodes([6, 6]))
    memory.add(episodes([6, 2], first=2))
    assert memory.num_steps == 14
    batch = memory.sample(400, np.random.default_rng(0))
    assert set(batch.observations[:, 0]) == {1, 2, 3}


def test_the_same_generator_draws_the_same_steps() -> None:
    memory = replay(4.0)
    memory.add(episodes([6, 5, 4]))
    draws = [memory.sample(64, np.random.default_rng(seed)).goals for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_nothing_can_be_drawn_from_an_empty_memory() -> None:
    with pytest.raises(ValueError, match="add episodes first"):
        replay(4.0).sample(1, np.random.default_rng(0))


@pytest.mark.parametrize("settings", [{"ratio": -1.0}, {"ratio": float("nan")}, {"capacity": 0}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        HindsightConfig(**settings)  # type: ignore[arg-type]
