import numpy as np
import pytest

from rlhf.experience.gymnasium_batch import GymnasiumBatchedEnv
from rlhf.experience.tasks import get_task, make_env

NAMES = ["lunarlander-land", "bipedalwalker-walk"]


def random_actions(env: GymnasiumBatchedEnv, rng: np.random.Generator, count: int) -> np.ndarray:
    if env.action_space.kind == "discrete":
        return rng.integers(env.action_space.size, size=(count, env.num_envs))
    return rng.uniform(-1, 1, (count, env.num_envs, env.action_space.size)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_resets_give_the_same_episode_whatever_ran_before(name: str) -> None:
    task, rng = get_task(name), np.random.default_rng(0)
    ours, fresh = GymnasiumBatchedEnv(task, 1), make_env(task)
    for seed in range(4):
        ours.reset(np.array([0]), np.array([seed]))
        for actions in random_actions(ours, rng, 100):
            if ours.step(actions)[2][0]:
                break
    np.testing.assert_array_equal(ours.reset(np.array([0]), np.array([9]))[0], fresh.reset(seed=9)[0])
    for actions in random_actions(ours, rng, 50):
        observations, rewards, terminated, _ = ours.step(actions)
        expected, reward, flag, _, _ = fresh.step(actions[0])
        np.testing.assert_array_equal(observations[0], expected)
        assert (rewards[0], terminated[0]) == (reward, flag)
        if flag:
            break
    ours.close()


@pytest.mark.parametrize("name", NAMES)
def test_restored_environments_go_on_bit_for_bit(name: str) -> None:
    task, rng = get_task(name), np.random.default_rng(1)
    ours, other = GymnasiumBatchedEnv(task, 1), GymnasiumBatchedEnv(task, 1)
    ours.reset(np.array([0]), np.array([7]))
    other.reset(np.array([0]), np.array([8]))
    actions = random_actions(ours, rng, 60)
    for action in actions[:30]:
        ours.step(action)
    other.restore(0, sim_state=None, reset_seed=7, actions=actions[:30, 0])
    for action in actions[30:]:
        for left, right in zip(ours.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(left, right)
    ours.close()
    other.close()


def test_discrete_observations_are_one_hot() -> None:
    env = GymnasiumBatchedEnv(get_task("gym:Taxi-v4"), 2)
    observations = env.reset(np.arange(2), np.array([0, 1]))
    assert observations.shape == (2, 500)
    assert observations.sum(axis=1).tolist() == [1.0, 1.0]
