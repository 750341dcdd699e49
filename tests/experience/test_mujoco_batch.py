import numpy as np
import pytest

from rlhf.experience.mujoco_batch import MujocoBatchedEnv
from rlhf.experience.tasks import get_task, make_env

NAMES = ["hopper-run", "halfcheetah-run", "walker2d-run", "swimmer-run", "ant-run"]
ENDING = ["gym:Hopper-v5", "gym:Walker2d-v5", "gym:Ant-v5"]
STANDARD = [*ENDING, "gym:HalfCheetah-v5", "gym:Swimmer-v5"]


@pytest.mark.parametrize("name", NAMES)
def test_steps_and_resets_are_bit_identical_to_gymnasium(name: str) -> None:
    task, num_envs, rng = get_task(name), 3, np.random.default_rng(0)
    ours = MujocoBatchedEnv(task, num_envs)
    theirs = [make_env(task) for _ in range(num_envs)]
    for seeds in (np.array([1, 2, 3]), np.array([4, 5, 6])):
        observations = ours.reset(np.arange(num_envs), seeds)
        expected = np.stack([e.reset(seed=int(s))[0] for e, s in zip(theirs, seeds, strict=True)])
        np.testing.assert_array_equal(observations, expected.astype(np.float32))
        for _ in range(120):
            actions = rng.uniform(-1.2, 1.2, (num_envs, ours.action_space.size)).astype(np.float32)
            observations, _, terminated, truncated = ours.step(actions)
            expected = np.stack([e.step(a)[0] for e, a in zip(theirs, actions, strict=True)])
            np.testing.assert_array_equal(observations, expected.astype(np.float32))
            assert not (terminated | truncated).any()
    states = [np.concatenate([e.unwrapped.data.qpos, e.unwrapped.data.qvel]) for e in theirs]
    np.testing.assert_array_equal(ours.sim_states(), states)
    ours.close()


@pytest.mark.parametrize("name", STANDARD)
def test_standard_environments_agree_with_gymnasium_over_a_thousand_steps(name: str) -> None:
    """Observations, rewards and terminations, through many episodes."""
    task, num_envs, rng = get_task(name), 4, np.random.default_rng(0)
    ours, theirs = MujocoBatchedEnv(task, num_envs), [make_env(task) for _ in range(num_envs)]
    ours.reset(np.arange(num_envs), np.arange(num_envs))
    for seed, env in enumerate(theirs):
        env.reset(seed=seed)
    next_seed, num_ends = num_envs, 0
    for step in range(1000):
        actions = rng.uniform(-1.2, 1.2, (num_envs, ours.action_space.size)).astype(np.float32)
        observations, rewards, terminated, truncated = ours.step(actions)
        expected = [env.step(action) for env, action in zip(theirs, actions, strict=True)]
        np.testing.assert_array_equal(observations, np.float32([e[0] for e in expected]))
        np.testing.assert_array_equal(rewards, [e[1] for e in expected])
        np.testing.assert_array_equal(terminated, [e[2] for e in expected])
        assert not truncated.any()
        ended = np.flatnonzero(terminated | (step % 400 == 399))
        if ended.size:
            num_ends += int(terminated.sum())
            seeds = np.arange(next_seed, next_seed + len(ended))
            next_seed += len(ended)
            observations = ours.reset(ended, seeds)
            firsts = [theirs[i].reset(seed=int(s))[0] for i, s in zip(ended, seeds, strict=True)]
            np.testing.assert_array_equal(observations, np.float32(firsts))
    assert (num_ends > 0) == (name in ENDING)
    ours.close()


def test_only_the_named_environments_are_reset() -> None:
    env = MujocoBatchedEnv(get_task("hopper-run"), 3)
    env.reset(np.arange(3), np.array([1, 2, 3]))
    for _ in range(5):
        env.step(np.ones((3, 3), np.float32))
    before = env.sim_states()
    env.reset(np.array([1]), np.array([9]))
    changed = (env.sim_states() != before).any(axis=1)
    assert changed.tolist() == [False, True, False]
    env.close()


@pytest.mark.parametrize("name", ["halfcheetah-run", "hopper-backflip", "gym:Ant-v5"])
def test_restored_environments_go_on_bit_for_bit(name: str) -> None:
    task, rng = get_task(name), np.random.default_rng(1)
    ours, other = MujocoBatchedEnv(task, 1), MujocoBatchedEnv(task, 1)
    ours.reset(np.array([0]), np.array([7]))
    other.reset(np.array([0]), np.array([8]))
    actions = rng.uniform(-1, 1, (160, 1, ours.action_space.size)).astype(np.float32)
    for action in actions[:80]:
        ours.step(action)
    other.restore(0, sim_state=None, reset_seed=7, actions=actions[:80, 0])
    for action in actions[80:]:
        for left, right in zip(ours.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(left, right)
    ours.close()
    other.close()


def test_results_do_not_depend_on_the_number_of_environments() -> None:
    task, rng = get_task("halfcheetah-run"), np.random.default_rng(2)
    one, many = MujocoBatchedEnv(task, 1), MujocoBatchedEnv(task, 5)
    one.reset(np.array([0]), np.array([3]))
    many.reset(np.arange(5), np.array([0, 1, 2, 3, 4]))
    for _ in range(50):
        actions = rng.uniform(-1, 1, (5, 6)).astype(np.float32)
        alone, together = one.step(actions[3:4])[0], many.step(actions)[0]
    np.testing.assert_array_equal(alone[0], together[3])
    one.close()
    many.close()
