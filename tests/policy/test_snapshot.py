import itertools
import subprocess
import sys

import numpy as np
import pytest

from rlhf.errors import CheckpointError, ShapeError
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 2), ActionSpace("discrete", 3)


def snapshot(action_space: ActionSpace, seed: int = 0) -> PolicySnapshot:
    rng = np.random.default_rng(seed)
    sizes = (4, 8, action_space.size)
    return PolicySnapshot(
        weights=[rng.normal(size=(i, o)).astype(np.float32) for i, o in itertools.pairwise(sizes)],
        biases=[rng.normal(size=o).astype(np.float32) for o in sizes[1:]],
        log_std=np.array([-0.5, 0.3], np.float32) if action_space.kind == "continuous" else None,
        observation_shift=np.full(4, 0.1, np.float32),
        observation_scale=np.full(4, 2.0, np.float32),
        observation_clip=10.0,
        version=7,
        action_space=action_space,
    )


def observations(num: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(size=(num, 4)).astype(np.float32)


def test_gaussian_log_probs_are_those_of_the_sampled_actions() -> None:
    policy = snapshot(CONTINUOUS)
    actions, log_probs = policy.act(observations(6), np.random.default_rng(0))
    mean, _ = policy.act(observations(6), np.random.default_rng(0), deterministic=True)
    sd = np.exp([-0.5, 0.3])
    density = np.exp(-0.5 * ((actions - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(np.exp(log_probs), density.prod(axis=1), rtol=1e-4)


def test_gaussian_samples_have_the_stated_mean_and_spread() -> None:
    policy = snapshot(CONTINUOUS)
    same = np.repeat(observations(1), 20_000, axis=0)
    actions, _ = policy.act(same, np.random.default_rng(0))
    mean, _ = policy.act(same[:1], np.random.default_rng(0), deterministic=True)
    np.testing.assert_allclose(actions.mean(axis=0), mean[0], atol=0.03)
    np.testing.assert_allclose(actions.std(axis=0), np.exp([-0.5, 0.3]), rtol=0.03)


def test_categorical_samples_follow_their_log_probs() -> None:
    policy = snapshot(DISCRETE)
    same = np.repeat(observations(1), 20_000, axis=0)
    actions, log_probs = policy.act(same, np.random.default_rng(0))
    for action in np.unique(actions):
        chosen = actions == action
        assert chosen.mean() == pytest.approx(float(np.exp(log_probs[chosen][0])), abs=0.01)


def test_deterministic_categorical_takes_the_likeliest_action() -> None:
    policy = snapshot(DISCRETE)
    best, best_log_probs = policy.act(observations(9), np.random.default_rng(0), deterministic=True)
    for seed in range(20):
        _, log_probs = policy.act(observations(9), np.random.default_rng(seed))
        assert (log_probs <= best_log_probs + 1e-6).all()
    assert best.dtype == np.int64


@pytest.mark.parametrize("action_space", [CONTINUOUS, DISCRETE])
def test_arrays_rebuild_the_same_policy(action_space: ActionSpace) -> None:
    policy = snapshot(action_space)
    copy = PolicySnapshot.from_arrays(policy.to_arrays(), action_space)
    for ours, theirs in zip(
        policy.act(observations(5), np.random.default_rng(0)),
        copy.act(observations(5), np.random.default_rng(0)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert copy.version == 7


def test_a_snapshot_of_another_action_space_is_refused() -> None:
    with pytest.raises(CheckpointError, match="discrete"):
        PolicySnapshot.from_arrays(snapshot(CONTINUOUS).to_arrays(), DISCRETE)


def test_a_snapshot_that_lacks_an_array_is_refused() -> None:
    arrays = snapshot(DISCRETE).to_arrays()
    del arrays["observation_scale"]
    with pytest.raises(CheckpointError, match="observation_scale"):
        PolicySnapshot.from_arrays(arrays, DISCRETE)


def test_observations_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match="observations"):
        snapshot(DISCRETE).act(np.zeros((2, 5), np.float32), np.random.default_rng(0))


def test_acting_needs_no_torch() -> None:
    program = "import sys, rlhf.policy.snapshot, rlhf.policy.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
