import numpy as np
import pytest

from rlhf.experience.random_policies import RandomPolicies, UniformRandomPolicy
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 3), ActionSpace("discrete", 4)


def actions_of(space: ActionSpace, num_steps: int, num_envs: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    policy = RandomPolicies(space, 5, num_envs)
    observations = np.random.default_rng(0).normal(size=(num_steps, num_envs, 5)).astype(np.float32)
    return np.stack([policy.act(obs, rng)[0] for obs in observations])


def test_continuous_actions_fill_their_range() -> None:
    actions = actions_of(CONTINUOUS, 500, 8, 0)
    assert (actions.shape, actions.dtype) == ((500, 8, 3), np.float32)
    assert np.abs(actions).max() <= 1.0
    assert np.percentile(np.abs(actions), 75) > 0.7


def test_discrete_actions_use_every_choice() -> None:
    actions = actions_of(DISCRETE, 500, 8, 0)
    assert (actions.shape, np.issubdtype(actions.dtype, np.integer)) == ((500, 8), True)
    assert np.unique(actions).tolist() == [0, 1, 2, 3]


def test_actions_are_held_for_up_to_ten_steps() -> None:
    actions = actions_of(CONTINUOUS, 1000, 4, 0)
    changed = (np.diff(actions, axis=0) != 0).any(axis=2)
    held = [np.diff(np.flatnonzero(column)) for column in changed.T]
    assert max(h.max() for h in held) == 10
    assert min(h.min() for h in held) == 1


def test_environments_behave_differently() -> None:
    actions = actions_of(CONTINUOUS, 200, 2, 0)
    assert not np.allclose(actions[:, 0], actions[:, 1])


@pytest.mark.parametrize("space", [CONTINUOUS, DISCRETE])
def test_all_randomness_comes_from_the_generator(space: ActionSpace) -> None:
    np.testing.assert_array_equal(actions_of(space, 300, 3, 1), actions_of(space, 300, 3, 1))
    assert not np.array_equal(actions_of(space, 300, 3, 1), actions_of(space, 300, 3, 2))


@pytest.mark.parametrize(("space", "log_prob"), [(CONTINUOUS, -3 * np.log(2)), (DISCRETE, -np.log(4))])
def test_uniform_log_probabilities(space: ActionSpace, log_prob: float) -> None:
    policy = UniformRandomPolicy(space)
    actions, log_probs = policy.act(np.zeros((1000, 5), np.float32), np.random.default_rng(0))
    np.testing.assert_allclose(log_probs, log_prob, rtol=1e-6)
    low, high = (-1, 1) if space.kind == "continuous" else (0, 3)
    assert actions.min() >= low
    assert actions.max() <= high
    np.testing.assert_allclose(actions.mean(), (low + high) / 2, atol=0.1)
