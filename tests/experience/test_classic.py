import gymnasium
import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.classic import CLASSIC_DYNAMICS, ClassicBatchedEnv, states_shown
from rlhf.experience.spaces import with_policy_actions

EVERY = sorted(CLASSIC_DYNAMICS)


def random_actions(env: ClassicBatchedEnv, rng: np.random.Generator) -> np.ndarray:
    if env.action_space.kind == "discrete":
        return rng.integers(env.action_space.size, size=env.num_envs)
    return rng.uniform(-1, 1, (env.num_envs, env.action_space.size)).astype(np.float32)


@pytest.mark.parametrize("env_id", EVERY)
def test_a_thousand_steps_with_resets_agree_with_gymnasium(env_id: str) -> None:
    rng, num_envs = np.random.default_rng(0), 3
    ours = ClassicBatchedEnv(num_envs, env_id)
    theirs = [
        with_policy_actions(gymnasium.make(env_id, max_episode_steps=-1, disable_env_checker=True))
        for _ in range(num_envs)
    ]
    seeds, steps = np.arange(num_envs), np.zeros(num_envs, np.int64)
    observations = ours.reset(np.arange(num_envs), seeds)
    expected = np.stack([env.reset(seed=int(s))[0] for env, s in zip(theirs, seeds, strict=True)])
    np.testing.assert_allclose(observations, expected, atol=1e-7)
    for _ in range(1000):
        actions = random_actions(ours, rng)
        observations, rewards, terminated, truncated = ours.step(actions)
        results = [env.step(action) for env, action in zip(theirs, actions, strict=True)]
        np.testing.assert_allclose(observations, [r[0] for r in results], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(rewards, [r[1] for r in results], rtol=1e-6, atol=1e-6)
        assert terminated.tolist() == [r[2] for r in results]
        assert not truncated.any()
        steps += 1
        for i in np.flatnonzero(terminated | (steps >= 200)):
            seeds[i], steps[i] = seeds[i] + num_envs, 0
            ours.reset(np.array([i]), seeds[i : i + 1])
            theirs[i].reset(seed=int(seeds[i]))


def test_mountain_car_agrees_with_gymnasium_up_to_the_flag() -> None:
    ours = ClassicBatchedEnv(1, "MountainCar-v0")
    theirs = gymnasium.make("MountainCar-v0", max_episode_steps=-1, disable_env_checker=True)
    observation = ours.reset(np.array([0]), np.array([3]))[0]
    theirs.reset(seed=3)
    for _ in range(300):
        action = 2 if observation[1] >= 0 else 0
        observations, _, terminated, _ = ours.step(np.array([action]))
        expected, _, flag, _, _ = theirs.step(action)
        observation = observations[0]
        np.testing.assert_allclose(observation, expected, atol=1e-6)
        assert terminated[0] == flag
        if flag:
            return
    pytest.fail("the car never reached the flag")


@pytest.mark.parametrize("env_id", EVERY)
@pytest.mark.parametrize("use_state", [True, False], ids=["from state", "by replay"])
def test_restored_environments_go_on_as_before(env_id: str, use_state: bool) -> None:
    rng = np.random.default_rng(1)
    ours, other = ClassicBatchedEnv(2, env_id), ClassicBatchedEnv(2, env_id)
    for env in (ours, other):
        env.reset(np.arange(2), np.array([5, 6]))
    history = [random_actions(ours, rng) for _ in range(8)]
    for actions in history:
        ours.step(actions)
    for i in range(2):
        state = ours.sim_states()[i] if use_state else None
        other.restore(i, sim_state=state, reset_seed=5 + i, actions=np.stack([a[i] for a in history]))
    last = random_actions(ours, rng)
    for left, right in zip(ours.step(last), other.step(last), strict=True):
        np.testing.assert_array_equal(left, right)


def test_observations_do_not_change_later() -> None:
    env = ClassicBatchedEnv(1, "CartPole-v1")
    first = env.reset(np.array([0]), np.array([0]))
    kept, states = first.copy(), env.sim_states()
    kept_states = states.copy()
    env.step(np.array([1]))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(states, kept_states)


@pytest.mark.parametrize("env_id", CLASSIC_DYNAMICS)
def test_an_observation_shows_its_state(env_id: str) -> None:
    dynamics, rng = CLASSIC_DYNAMICS[env_id](), np.random.default_rng(0)
    states = np.stack([dynamics.reset_state(rng) for _ in range(20)])
    assert states_shown(env_id, dynamics.observe(states)) == pytest.approx(states, abs=1e-6)


def test_where_observations_do_not_show_the_state_it_is_said() -> None:
    with pytest.raises(TaskError, match="do not show the whole state"):
        states_shown("Hopper-v5", np.zeros((1, 11), np.float32))
