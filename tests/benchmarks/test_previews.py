import numpy as np
import pytest
import torch

from rlhf.benchmarks.previews import EPISODES, typical_episode
from rlhf.experience.rollout import run_episodes
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.train_on_true_reward import learn_true_reward


@pytest.mark.parametrize(("task_name", "by_mean"), [("cartpole-balance", False), ("pendulum-swingup", True)])
def test_a_preview_acts_as_policies_are_judged(task_name: str, by_mean: bool) -> None:
    torch.set_num_threads(1)
    task = get_task(task_name)
    (turn,) = learn_true_reward(task, resolve(task, {"schedule.total_steps": 1}), seed=0)
    _, returns = run_episodes(task, turn.policy, EPISODES, 0, deterministic=by_mean)
    episode, true_return = typical_episode(task, steps=1)
    assert true_return == np.sort(returns)[EPISODES // 2]
    assert episode.num_steps <= task.horizon
