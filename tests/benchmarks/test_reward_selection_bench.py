import numpy as np
import pytest

from rlhf.benchmarks.reward_selection import GOALS, Goal, correlation, make_case
from rlhf.reward.config import RewardConfig


@pytest.mark.parametrize("goal", GOALS)
def test_the_same_seed_gives_the_same_case(goal: Goal) -> None:
    one, same, other = (make_case(goal, 20, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.data.features, same.data.features)
    np.testing.assert_array_equal(one.returns, same.returns)
    assert not np.array_equal(one.returns, other.returns)


def test_mistakes_turn_answers_round() -> None:
    right, wrong = (make_case("linear", 50, 0, mistakes=share) for share in (0.0, 1.0))
    np.testing.assert_array_equal(right.data.prob_first, 1.0 - wrong.data.prob_first)


def test_a_linear_class_learns_a_linear_goal() -> None:
    rho, used = correlation(make_case("linear", 300, 0), RewardConfig(model_class="linear"), 0)
    assert used == "linear"
    assert rho > 0.8
