import dataclasses

import numpy as np
import pytest
from small_rewards import linear_reward

from rlhf.reward.endings import Endings, score_endings
from rlhf.types.task import ActionSpace

SPACE = ActionSpace("continuous", 1)
LAST = np.array([[3.0], [200.0]], np.float32)


def test_what_it_is_worth_for_ever_is_what_its_steps_are_worth() -> None:
    discount = 0.9
    endings = Endings(np.array([-7.0], np.float32), np.array([0.5], np.float32))
    rewards = np.concatenate([endings.first, np.repeat(endings.later, 500)])
    worth = float((rewards * discount ** np.arange(501)).sum())
    assert endings.per_step(discount) / (1 - discount) == pytest.approx([worth], rel=1e-5)


def test_an_outcome_may_outweigh_a_step() -> None:
    plain = linear_reward([1.0, 0.0, 0.0, 2.0, 0.0], num_members=1)
    reward = dataclasses.replace(plain, config=dataclasses.replace(plain.config, use_endings=True))
    endings = score_endings(reward, SPACE, LAST, pessimism=0.0)
    assert endings.first.tolist() == pytest.approx([6.0, 20.0])  # what is observed is bounded at ten
    assert endings.later.tolist() == [0.0, 0.0]
    rows = np.array([[9.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0, 1.0]], np.float32)
    assert reward.rewards(rows)[0].tolist() == pytest.approx([5.0, 6.0])


def test_without_outcomes_the_last_observation_lasts() -> None:
    endings = score_endings(linear_reward([1.0, 0.0, 0.0], num_members=1), SPACE, LAST[:1], pessimism=0.0)
    assert endings.first.tolist() == endings.later.tolist() == pytest.approx([3.0])
