import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.replay import restored_observations, set_sim_state
from rlhf.experience.rollout import run_episodes
from rlhf.experience.segments import cut
from rlhf.experience.tasks import get_task, make_env, spaces_of
from rlhf.types.experience import Episode

# Gymnasium rounds Acrobot's first state to float32 and observes it in that precision: one unit in the last
# place. Everything else is exact, because the states are set or replayed, never integrated anew.
NAMES = [
    "cartpole-balance",
    "pendulum-swingup",
    "mountaincar-climb",
    "acrobot-swingup",
    "hopper-backflip",
    "gym:Hopper-v5",
    "ant-run",
    "lunarlander-land",
    "bipedalwalker-walk",
]


def random_episodes(name: str, count: int) -> list[Episode]:
    task = get_task(name)
    return run_episodes(task, UniformRandomPolicy(spaces_of(task)[1]), count, 11, deterministic=False)[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_replayed_segment_shows_the_states_that_the_policy_saw(name: str) -> None:
    task = get_task(name)
    episode = random_episodes(name, 3)[-1]
    start = min(episode.num_steps // 2, task.horizon - task.segment_steps)
    segment = cut(episode, start, task.segment_steps, task.horizon)
    assert start > 0
    np.testing.assert_allclose(restored_observations(task, segment), segment.observations, rtol=0, atol=1e-7)


def test_the_absorbing_state_stands_still_when_replayed() -> None:
    task = get_task("lunarlander-land")
    episode = next(e for e in random_episodes("lunarlander-land", 4) if e.terminated)
    segment = cut(episode, episode.num_steps - 5, task.segment_steps, task.horizon)
    shown = restored_observations(task, segment)
    assert segment.num_real_steps == 5
    assert (shown[5:] == shown[5]).all()


def test_environments_without_settable_states_say_so() -> None:
    task = get_task("lunarlander-land")
    with pytest.raises(TaskError, match="replay its actions"):
        set_sim_state(make_env(task), task, np.zeros(3))


def test_pendulum_can_be_drawn_in_its_first_state() -> None:
    task = get_task("pendulum-swingup")
    env = make_env(task, render_mode="rgb_array")
    env.reset(seed=0)
    set_sim_state(env, task, np.array([0.5, 0.0, 0.0]))
    assert env.render().shape == (500, 500, 3)
    env.close()
