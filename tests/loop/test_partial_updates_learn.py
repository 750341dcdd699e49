"""On CartPole's true reward every mode learns, and what is frozen stays the source's, return included."""

from collections.abc import Iterator

import numpy as np
import pytest

from rlhf.experience.rollout import Collector, run_episodes
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import resolve
from rlhf.policy.config import UPDATES, PPOConfig, Update
from rlhf.policy.ppo import PPO
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.policy.transfer import start_from
from rlhf.types.task import ActionSpace

TASK, SPACE = get_task("cartpole-balance"), ActionSpace("discrete", 2)
ENVS, SOURCE_STEPS, STEPS = 8, 40_000, 30_000


def make(update: Update, seed: int) -> PPO:
    config = resolve(TASK, TASK.overrides | {"ppo.update": update}).ppo
    return PPO(config, 4, SPACE, np.random.default_rng(seed))


def learn(policy: PPO, num_steps: int, seed: int) -> None:
    config: PPOConfig = policy.config
    stepper = VectorStepper(TASK, ENVS, seed, stagger=True)
    collector, rng, steps = Collector(stepper), np.random.default_rng(seed), 0
    while steps < num_steps:
        collected = collector.collect(policy, config.num_steps, rng)
        rewards = collected.rollout_true_rewards.astype(np.float32)
        policy.update(collected.rollout, rewards, np.zeros_like(rewards), progress=steps / num_steps)
        steps += collected.rollout.num_steps
    stepper.close()


def returns(policy: PPO | PolicySnapshot) -> list[float]:
    return run_episodes(TASK, policy, 10, seed=77, deterministic=True)[1].tolist()


@pytest.fixture(scope="module")
def source() -> Iterator[PPO]:
    """A policy that has learned the task."""
    policy = make("all", seed=0)
    learn(policy, SOURCE_STEPS, seed=0)
    yield policy
    policy.close()


@pytest.mark.parametrize("update", UPDATES)
def test_every_mode_learns_from_the_sources_trunk_and_a_new_head(source: PPO, update: Update) -> None:
    policy = make(update, seed=1)
    taken, own = source.policy_arrays(), policy.policy_arrays()
    taken |= {name: own[name] for name in own if name in ("weight_2", "bias_2")}
    observed = ENVS * policy.config.num_steps
    state = policy.state_dict()
    policy.load_state_dict(start_from(state, own, taken, SPACE, num_observed=observed))
    before = np.mean(returns(policy))
    learn(policy, STEPS, seed=1)
    assert before < 50
    assert np.mean(returns(policy)) > 100  # 170 with the fewest parameters, 500 with most modes


def test_the_source_returns_what_it_did_around_a_trunk_that_was_frozen(source: PPO) -> None:
    policy = make("adapters+head", seed=2)
    arrays = source.policy_arrays()
    state = policy.state_dict()
    policy.load_state_dict(start_from(state, policy.policy_arrays(), arrays, SPACE, num_observed=256))
    learn(policy, STEPS // 10, seed=2)
    tuned = policy.policy_arrays()
    assert not np.array_equal(tuned["weight_0"], arrays["weight_0"])
    trunk = {name: tuned[name] for name in ("weight_1", "bias_1")}
    assert returns(PolicySnapshot.from_arrays(arrays | trunk, SPACE)) == returns(source)
