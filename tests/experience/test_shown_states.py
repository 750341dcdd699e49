import contextlib

import numpy as np
import pytest

from rlhf.experience.shown_states import states_shown
from rlhf.experience.tasks import get_task, make_env

ROBOTS = ("hopper-run", "hopper-backflip", "walker2d-run", "halfcheetah-run", "swimmer-run", "ant-run")


@pytest.mark.parametrize("name", ROBOTS)
def test_observations_of_a_robot_show_how_it_stands_and_moves(name: str) -> None:
    task, rng = get_task(name), np.random.default_rng(0)
    with contextlib.closing(make_env(task)) as env:
        data = env.unwrapped.data
        first, _ = env.reset(seed=0)
        observations, states = [first], [np.concatenate((data.qpos, data.qvel))]
        for _ in range(20):
            observations.append(env.step(rng.uniform(-0.3, 0.3, env.action_space.shape))[0])
            states.append(np.concatenate((data.qpos, data.qvel)))
        seen = np.array(observations, np.float32)
        shown, happened = states_shown(env.unwrapped, task.env_id, seen), np.array(states)
    hidden = 2 if name in ("swimmer-run", "ant-run") else 1
    assert shown.shape == happened.shape
    happened[:, :hidden] -= happened[0, :hidden]
    assert shown[:, hidden:] == pytest.approx(happened[:, hidden:], abs=1e-5)
    assert shown[:, :hidden] == pytest.approx(happened[:, :hidden], abs=0.1)
    assert not shown[0, :hidden].any()
