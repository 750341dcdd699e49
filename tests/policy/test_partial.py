"""Only what is meant to learn moves; the rest stays bit for bit, in any mode and across a stop."""

from typing import Any

import numpy as np
import pytest

from rlhf.errors import CheckpointError, ConfigError
from rlhf.policy.config import UPDATES, PPOConfig, Update
from rlhf.policy.kernels import NumpyPolicyGradients
from rlhf.policy.networks import Network
from rlhf.policy.partial import (
    RANK,
    check_update,
    count_learned,
    learned_part,
    learning_layers,
    with_actor,
)
from rlhf.policy.ppo import PPO
from rlhf.types.experience import Rollout
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 2), ActionSpace("discrete", 3)
MODES = pytest.mark.parametrize("update", UPDATES)
SPACES = pytest.mark.parametrize("space", [CONTINUOUS, DISCRETE], ids=lambda space: space.kind)
HIDDEN = (16, 12, 8)


def make(update: Update, space: ActionSpace = DISCRETE, seed: int = 0) -> PPO:
    config = PPOConfig(num_epochs=3, minibatch_size=16, hidden=HIDDEN, update=update, target_kl=None)
    return PPO(config, 5, space, np.random.default_rng(seed))


def practise(policy: PPO, space: ActionSpace, turns: int = 2, seed: int = 9) -> None:
    """Update from random rollouts: what is learned does not matter here."""
    rng = np.random.default_rng(seed)
    for _ in range(turns):
        observations = rng.normal(size=(16, 4, 5)).astype(np.float32)
        acted = [policy.act(row, rng) for row in observations]
        never = np.zeros((16, 4), np.bool_)
        rollout = Rollout(
            observations=observations,
            actions=np.stack([actions for actions, _ in acted]),
            log_probs=np.stack([log_probs for _, log_probs in acted]),
            next_observations=observations,
            terminated=never,
            truncated=never,
            policy_version=policy.version,
        )
        rewards = rng.normal(size=(16, 4)).astype(np.float32)
        policy.update(rollout, rewards, np.zeros_like(rewards))


def layers(policy: PPO) -> list[Any]:
    arrays = policy.policy_arrays()
    return [np.vstack([arrays[f"weight_{i}"], arrays[f"bias_{i}"]]) for i in range(len(HIDDEN) + 1)]


@SPACES
@MODES
def test_frozen_layers_stay_bit_for_bit_and_the_others_move(update: Update, space: ActionSpace) -> None:
    policy = make(update, space)
    before = layers(policy)
    practise(policy, space)
    learning = set(range(4)) if update == "low-rank" else learning_layers(update, 4)
    for layer, (old, new) in enumerate(zip(before, layers(policy), strict=True)):
        assert np.array_equal(old, new) == (layer not in learning), layer


def test_the_spread_of_continuous_actions_learns_in_every_mode() -> None:
    for update in UPDATES:
        policy = make(update, CONTINUOUS)
        before = policy.policy_arrays()["log_std"]
        practise(policy, CONTINUOUS)
        assert not np.array_equal(before, policy.policy_arrays()["log_std"]), update


def test_a_low_rank_change_has_that_rank() -> None:
    policy = make("low-rank")
    before = layers(policy)
    practise(policy, DISCRETE)
    for old, new in zip(before[:-1], layers(policy)[:-1], strict=True):
        sizes = np.linalg.svd((new - old).astype(np.float64), compute_uv=False)
        assert (sizes > 1e-5 * sizes[0]).sum() <= RANK


def test_low_rank_gradients_are_those_of_differences() -> None:
    rng = np.random.default_rng(1)
    network = Network((3, 6, 5, 2), rng, last_gain=1.0)
    learned = learned_part(network, "low-rank", rng)
    learned.parameters[:] += 0.1 * rng.standard_normal(len(learned.parameters)).astype(np.float32)
    gradients = NumpyPolicyGradients(network, ActionSpace("discrete", 2))
    inputs, actions = rng.normal(size=(32, 3)).astype(np.float32), rng.integers(0, 2, 32)
    advantages = rng.normal(size=32).astype(np.float32)

    def loss() -> float:
        learned.push()
        old = np.full(32, -0.7, np.float32)
        shown = gradients(inputs, actions, old, advantages, clip_range=5.0, entropy_coef=0.0)
        return shown.loss

    loss()
    learned.pull()
    expected = learned.gradient.copy()
    for index in rng.choice(len(expected), 12, replace=False):
        kept = learned.parameters[index]
        values = []
        for step in (1e-2, -1e-2):
            learned.parameters[index] = kept + np.float32(step)
            values.append(loss())
        learned.parameters[index] = kept
        assert (values[0] - values[1]) / 2e-2 == pytest.approx(expected[index], abs=2e-3)


@MODES
def test_a_stop_changes_nothing(update: Update) -> None:
    policy = make(update)
    practise(policy, DISCRETE, turns=1)
    again = make(update, seed=5)
    again.load_state_dict(policy.state_dict())
    for one in (policy, again):
        practise(one, DISCRETE, seed=11)
    for name, array in policy.policy_arrays().items():
        np.testing.assert_array_equal(array, again.policy_arrays()[name])


@MODES
def test_a_policy_taken_over_acts_as_it_did(update: Update) -> None:
    source = make("all", seed=3)
    target = make(update)
    target.load_state_dict(with_actor(target.state_dict(), source.state_dict()["actor.parameters"]))
    for one, other in zip(layers(source), layers(target), strict=True):
        np.testing.assert_array_equal(one, other)
    practise(target, DISCRETE, turns=1)  # and the change that is learned starts from it
    for layer, (one, other) in enumerate(zip(layers(source), layers(target), strict=True)):
        if layer not in learning_layers(update, 4) and update != "low-rank":
            np.testing.assert_array_equal(one, other)
        else:
            assert np.abs(one - other).max() < 0.1


def test_the_source_is_as_it_was_with_its_own_adapters_around_the_learned_trunk() -> None:
    source = make("all", seed=3)
    practise(source, DISCRETE)
    tuned = make("adapters+head")
    tuned.load_state_dict(with_actor(tuned.state_dict(), source.state_dict()["actor.parameters"]))
    practise(tuned, DISCRETE)
    arrays, trunk = source.policy_arrays(), tuned.policy_arrays()
    assert not np.array_equal(arrays["weight_0"], trunk["weight_0"])
    joined = arrays | {name: trunk[name] for name in ("weight_1", "bias_1", "weight_2", "bias_2")}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, joined[name])


@MODES
@SPACES
def test_counts_are_of_what_the_optimiser_moves(update: Update, space: ActionSpace) -> None:
    free = np.zeros(2, np.float32) if space.kind == "continuous" else None
    widths = (5, *HIDDEN, space.size)
    network = Network(widths, np.random.default_rng(0), last_gain=1.0, free=free)
    learned, total = count_learned(widths, len(network.free), update)
    part = learned_part(network, update, np.random.default_rng(0))
    network.gradient[:] = 1.0
    if update == "low-rank":
        assert learned == len(part.parameters)
    else:
        part.pull()
        assert learned == int(part.gradient.sum())
    assert total == len(network.parameters)


def test_a_checkpoint_of_another_network_is_refused() -> None:
    rng = np.random.default_rng(0)
    small, large = (Network((3, width, 2), rng, last_gain=1.0) for width in (4, 8))
    state = learned_part(small, "low-rank", rng).state_dict()
    with pytest.raises(CheckpointError, match="this one has"):
        learned_part(large, "low-rank", rng).load_state_dict(state)


@MODES
def test_a_new_first_layer_is_never_frozen(update: Update) -> None:
    check_update(update, 3, 4, 4)
    if update in ("all", "adapters+head"):
        check_update(update, 3, 4, 5)
    else:
        with pytest.raises(ConfigError, match="observes 4 numbers, the target 5"):
            check_update(update, 3, 4, 5)
