import numpy as np
import pytest

from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.rollout import Collected, Collector, run_episodes
from rlhf.experience.tasks import get_task, make_env
from rlhf.experience.vector import VectorStepper
from rlhf.seeding import episode_seed
from rlhf.types.experience import Actions, Float32


class Wild:
    """Actions far outside [-1, 1]."""

    version = 7

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        actions = rng.normal(0, 3, (len(observations), 1)).astype(np.float32)
        return actions, np.zeros(len(observations), np.float32)


def collect(name: str, num_envs: int, num_steps: int, seed: int = 0) -> tuple[Collector, Collected]:
    collector = Collector(VectorStepper(get_task(name), num_envs, seed))
    policy = UniformRandomPolicy(collector.stepper.action_space)
    return collector, collector.collect(policy, num_steps, np.random.default_rng(seed))


def test_episodes_are_the_columns_of_the_rollout_between_resets() -> None:
    _, collected = collect("cartpole-balance", 3, 60)
    rollout = collected.rollout
    expected = {}
    for i in range(3):
        start = 0
        for t in np.flatnonzero(rollout.terminated[:, i] | rollout.truncated[:, i]):
            expected[(t, i)] = slice(start, t + 1)
            start = t + 1
    assert len(collected.episodes) == len(expected) > 3
    for episode, rewards, (t, i) in zip(
        collected.episodes, collected.true_rewards, sorted(expected), strict=True
    ):
        part = expected[(t, i)]
        np.testing.assert_array_equal(episode.observations[:-1], rollout.observations[part, i])
        np.testing.assert_array_equal(episode.observations[1:], rollout.next_observations[part, i])
        np.testing.assert_array_equal(episode.actions, rollout.actions[part, i])
        np.testing.assert_array_equal(rewards, collected.rollout_true_rewards[part, i])
        assert episode.terminated


def test_episodes_hold_clipped_and_rollouts_unclipped_actions() -> None:
    collector = Collector(VectorStepper(get_task("pendulum-swingup"), 1, 0))
    collected = collector.collect(Wild(), 200, np.random.default_rng(0))
    actions = collected.rollout.actions[:, 0]
    assert np.abs(actions).max() > 1
    np.testing.assert_array_equal(collected.episodes[0].actions, np.clip(actions, -1, 1))


def test_episodes_carry_the_version_of_the_policy_that_ended_them() -> None:
    collector, _ = collect("pendulum-swingup", 1, 150)
    assert collector.collect(Wild(), 50, np.random.default_rng(0)).episodes[0].policy_version == 7


def test_sim_states_belong_to_the_observations() -> None:
    _, collected = collect("acrobot-swingup", 2, 500)
    episode = collected.episodes[0]
    assert episode.sim_states is not None
    np.testing.assert_allclose(np.cos(episode.sim_states[:, 0]), episode.observations[:, 0], atol=1e-6)


def test_reset_seeds_reproduce_the_first_observation() -> None:
    _, collected = collect("lunarlander-land", 2, 250)
    for episode in collected.episodes:
        first, _ = make_env(get_task("lunarlander-land")).reset(seed=episode.reset_seed)
        np.testing.assert_array_equal(episode.observations[0], first)


@pytest.mark.parametrize("name", ["cartpole-balance", "swimmer-run", "lunarlander-land"])
def test_a_restored_collector_continues_bit_for_bit(name: str) -> None:
    collector, _ = collect(name, 2, 130)
    other = Collector(VectorStepper(get_task(name), 2, 77))
    other.load_state_dict(collector.state_dict())
    policy = UniformRandomPolicy(collector.stepper.action_space)
    left, right = (c.collect(policy, 900, np.random.default_rng(4)) for c in (collector, other))
    np.testing.assert_array_equal(left.rollout.next_observations, right.rollout.next_observations)
    assert len(left.episodes) == len(right.episodes) > 0
    for a, b in zip(left.episodes, right.episodes, strict=True):
        assert a.reset_seed == b.reset_seed
        np.testing.assert_array_equal(a.observations, b.observations)
        np.testing.assert_array_equal(a.actions, b.actions)
        if a.sim_states is not None:
            np.testing.assert_array_equal(a.sim_states, b.sim_states)
    for c, d in zip(left.true_rewards, right.true_rewards, strict=True):
        np.testing.assert_array_equal(c, d)


@pytest.mark.parametrize("num_episodes", [1, 5, 40])
def test_exactly_the_wanted_episodes_are_run(num_episodes: int) -> None:
    task = get_task("cartpole-balance")
    policy = UniformRandomPolicy(VectorStepper(task, 1, 0).action_space)
    episodes, returns = run_episodes(task, policy, num_episodes, 3, deterministic=False)
    num_envs = min(num_episodes, 16)
    expected = [episode_seed(3, k % num_envs, k // num_envs) for k in range(num_episodes)]
    assert [episode.reset_seed for episode in episodes] == expected
    # CartPole pays one a step, so the return is the length.
    assert returns.tolist() == [episode.num_steps for episode in episodes]


def test_true_returns_of_whole_episodes() -> None:
    task = get_task("mountaincar-climb")
    policy = UniformRandomPolicy(VectorStepper(task, 1, 0).action_space)
    _, returns = run_episodes(task, policy, 3, 0, deterministic=True)
    assert returns.tolist() == [-200.0] * 3
