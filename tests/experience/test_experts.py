"""Scripted experts do what they are there to show."""

import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.recording import act_out
from rlhf.experience.tasks import get_task, has_expert, list_tasks

EPISODES = 6
AT_LEAST = {
    "cartpole-balance": 500.0,
    "mountaincar-climb": -140.0,
    "acrobot-swingup": -100.0,
    "pendulum-swingup": -170.0,
    "lunarlander-land": 240.0,
    "bipedalwalker-walk": 230.0,
}
"""Mean true return; a random policy gets about 20, -200, -500, -1200, -180 and -100."""


def test_every_expert_has_a_stated_return() -> None:
    assert {task.name for task in list_tasks() if task.expert is not None} == set(AT_LEAST)


@pytest.mark.parametrize("name", AT_LEAST)
def test_expert_reaches_the_stated_return(name: str) -> None:
    returns = []
    for seed in range(EPISODES):
        recorder = act_out(get_task(name), seed)
        returns.append(recorder.true_rewards.sum())
        recorder.close()
    assert np.mean(returns) >= AT_LEAST[name]


def test_other_tasks_on_the_same_environment_have_the_same_expert() -> None:
    assert get_task("gym:LunarLander-v3").expert is get_task("lunarlander-land").expert


@pytest.mark.parametrize(
    "name", ["cartpole-balance", "gym:CartPole-v1", "ant-run", "gym:Ant-v5", "gym:a:B-v0"]
)
def test_experts_are_known_without_making_an_environment(name: str) -> None:
    assert has_expert(name) is ("CartPole" in name or "cartpole" in name)


def test_task_without_an_expert_says_what_to_do() -> None:
    with pytest.raises(TaskError, match="by hand"):
        act_out(get_task("ant-run"), 0)
