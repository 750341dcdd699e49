import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.policy.past_episodes import PastEpisode, PastEpisodes, discounted_returns


def episode(steps: int, *, terminated: bool = False, first: float = 0.0) -> PastEpisode:
    return PastEpisode(
        observations=(first + np.arange(steps + 1, dtype=np.float32))[:, None],
        options=np.zeros((steps, 1), np.int64),
        log_probs=np.zeros(steps, np.float32),
        rewards=np.ones(steps, np.float32),
        terminated=terminated,
    )


def test_returns_are_discounted_sums_to_the_end() -> None:
    got = discounted_returns(np.array([1.0, 2.0, 4.0], np.float32), 0.5)
    np.testing.assert_allclose(got, [1 + 1 + 1, 2 + 2, 4])


def test_every_step_knows_its_state_the_next_one_and_its_episodes_last() -> None:
    past = PastEpisodes(capacity=5, half_life=1.0, discount=0.5)
    past.add([episode(2, terminated=True), episode(3, first=10.0)])
    steps = past.steps()
    states = steps.observations[:, 0]
    np.testing.assert_array_equal(states[steps.rows], [0, 1, 10, 11, 12])
    np.testing.assert_array_equal(states[steps.rows + 1], [1, 2, 11, 12, 13])
    np.testing.assert_array_equal(states[steps.last_rows], [2, 2, 13, 13, 13])
    np.testing.assert_array_equal(steps.terminated, [False, True, False, False, False])
    np.testing.assert_allclose(steps.returns, [1.5, 1.0, 1.75, 1.5, 1.0])
    np.testing.assert_allclose(steps.discounts, [0.0, 0.0, 0.125, 0.25, 0.5])


def test_the_oldest_are_forgotten_and_older_ones_are_drawn_less() -> None:
    past = PastEpisodes(capacity=2, half_life=1.0, discount=0.9)
    past.add([episode(1, first=0.0), episode(1, first=5.0), episode(1, first=9.0)])
    steps = past.steps()
    np.testing.assert_array_equal(steps.observations[steps.rows, 0], [5, 9])
    drawn = steps.draw(4000, np.random.default_rng(0))
    assert abs(np.mean(drawn == 1) - 2 / 3) < 0.03


def test_a_changed_reward_changes_all_rewards_and_returns_and_nothing_else() -> None:
    past = PastEpisodes(capacity=2, half_life=10.0, discount=0.5)
    past.add([episode(2), episode(1, first=10.0)])
    before = past.steps()
    past.relabel(lambda one: one.observations[1:, 0])
    after = past.steps()
    np.testing.assert_allclose(after.rewards, [1, 2, 11])
    np.testing.assert_allclose(after.returns, [2, 2, 11])
    np.testing.assert_array_equal(after.observations, before.observations)
    np.testing.assert_array_equal(after.log_probs, before.log_probs)


def test_nothing_remembered_and_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="add episodes first"):
        PastEpisodes(capacity=2, half_life=1.0, discount=0.9).steps()
    with pytest.raises(ShapeError, match="options"):
        PastEpisode(
            observations=np.zeros((3, 1), np.float32),
            options=np.zeros((1, 1), np.int64),
            log_probs=np.zeros(2, np.float32),
            rewards=np.zeros(2, np.float32),
            terminated=True,
        )
