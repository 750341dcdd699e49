import json
from typing import Any

import numpy as np
import pytest

from rlhf.errors import CheckpointError, ShapeError
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.types.experience import Float32, Float64, Rollout
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 1), ActionSpace("discrete", 3)
SPACES = pytest.mark.parametrize("action_space", [CONTINUOUS, DISCRETE], ids=lambda space: space.kind)


class PointEnvs:
    """N points on a line that must reach a goal; observation (position, velocity, goal), 40 steps.

    True reward: minus the distance to the goal. A point that leaves [-2, 2] terminates.
    """

    horizon = 40

    def __init__(self, num_envs: int, action_space: ActionSpace, rng: np.random.Generator) -> None:
        self.num_envs, self._space, self._rng = num_envs, action_space, rng
        self._position: Float64 = np.zeros(num_envs)
        self._velocity: Float64 = np.zeros(num_envs)
        self._goal: Float64 = np.zeros(num_envs)
        self._step = np.zeros(num_envs, np.int64)
        self._reset(np.ones(num_envs, bool))
        self._step[:] = rng.integers(0, self.horizon, num_envs)  # so that not all episodes end together

    def collect(self, policy: PPO, num_steps: int, rng: np.random.Generator) -> tuple[Rollout, Float32]:
        """Return a rollout and its true rewards (T, N)."""
        columns: dict[str, list[Any]] = {name: [] for name in ("o", "a", "lp", "no", "te", "tr", "r")}
        for _ in range(num_steps):
            observations = self._observe()
            actions, log_probs = policy.act(observations, rng)
            is_continuous = self._space.kind == "continuous"
            force = (actions[:, 0].clip(-1, 1) if is_continuous else actions - 1).astype(np.float64)
            self._velocity = 0.8 * self._velocity + 0.2 * force
            self._position = self._position + 0.5 * self._velocity
            self._step += 1
            terminated = np.abs(self._position) > 2.0
            truncated = (self._step >= self.horizon) & ~terminated
            row = (observations, actions, log_probs, self._observe(), terminated, truncated, self._reward())
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
            self._reset(terminated | truncated)
        stacked = {name: np.stack(column) for name, column in columns.items()}
        rollout = Rollout(
            observations=stacked["o"],
            actions=stacked["a"],
            log_probs=stacked["lp"],
            next_observations=stacked["no"],
            terminated=stacked["te"],
            truncated=stacked["tr"],
            policy_version=policy.version,
        )
        return rollout, stacked["r"]

    def _observe(self) -> Float32:
        return np.stack([self._position, self._velocity, self._goal], axis=1).astype(np.float32)

    def _reward(self) -> Float32:
        return -np.abs(self._position - self._goal).astype(np.float32)

    def _reset(self, where: Any) -> None:
        count = int(where.sum())
        self._position[where], self._goal[where] = self._rng.uniform(-1, 1, (2, count))
        self._velocity[where], self._step[where] = 0.0, 0


def make(action_space: ActionSpace, seed: int = 0, **settings: Any) -> PPO:
    defaults: dict[str, Any] = {
        "num_epochs": 4,
        "minibatch_size": 64,
        "hidden": (16, 16),
        "learning_rate": 1e-3,
    }
    return PPO(PPOConfig(**(defaults | settings)), 3, action_space, np.random.default_rng(seed))


def collect(
    policy: PPO, action_space: ActionSpace, num_steps: int = 32, seed: int = 0
) -> tuple[Rollout, Float32]:
    return PointEnvs(8, action_space, np.random.default_rng(seed)).collect(
        policy, num_steps, np.random.default_rng(seed)
    )


def parameters(policy: PPO) -> Float32:
    state = policy.state_dict()
    return np.concatenate([state["actor.parameters"], state["critic.parameters"]])


@SPACES
def test_an_update_is_the_same_for_the_same_seed_and_another_for_another(action_space: ActionSpace) -> None:
    def after_update(seed: int) -> Float32:
        policy = make(action_space, seed)
        rollout, rewards = collect(policy, action_space)
        policy.update(rollout, rewards, np.zeros_like(rewards))
        return parameters(policy)

    np.testing.assert_array_equal(after_update(0), after_update(0))
    assert not np.array_equal(after_update(0), after_update(1))


@SPACES
def test_a_critic_in_a_process_of_its_own_learns_the_same(action_space: ActionSpace) -> None:
    config = PPOConfig(num_epochs=4, minibatch_size=64, hidden=(16, 16), target_kl=1e-4)
    one, two = (PPO(config, 3, action_space, np.random.default_rng(0), processes=n) for n in (1, 2))
    for seed in range(3):
        shown = []
        for policy in (one, two):
            rollout, rewards = collect(policy, action_space, seed=seed)
            shown.append(policy.update(rollout, rewards, np.zeros_like(rewards)))
        assert shown[0] == shown[1]
        np.testing.assert_array_equal(parameters(one), parameters(two))
    two.close()


@SPACES
def test_resuming_from_a_saved_state_is_bit_equal(action_space: ActionSpace) -> None:
    policy = make(action_space)
    first, first_rewards = collect(policy, action_space, seed=1)
    policy.update(first, first_rewards, np.zeros_like(first_rewards))
    state = policy.state_dict()
    second, second_rewards = collect(policy, action_space, seed=2)
    resumed = make(action_space, seed=99)
    resumed.load_state_dict(state)
    expected = policy.update(second, second_rewards, np.zeros_like(second_rewards), progress=0.5)
    assert resumed.update(second, second_rewards, np.zeros_like(second_rewards), progress=0.5) == expected
    for name, value in policy.state_dict().items():
        np.testing.assert_equal(resumed.state_dict()[name], value)


def test_a_state_holds_only_arrays_and_json_data() -> None:
    state = make(CONTINUOUS).state_dict()
    json.dumps({name: value for name, value in state.items() if not isinstance(value, np.ndarray)})
    assert all(value.dtype != object for value in state.values() if isinstance(value, np.ndarray))


def test_a_state_does_not_change_with_later_updates() -> None:
    policy = make(DISCRETE)
    state = policy.state_dict()
    kept = state["actor.parameters"].copy()
    rollout, rewards = collect(policy, DISCRETE)
    policy.update(rollout, rewards, np.zeros_like(rewards))
    np.testing.assert_array_equal(state["actor.parameters"], kept)


def test_a_state_of_other_networks_or_with_gaps_is_refused() -> None:
    with pytest.raises(CheckpointError, match="parameters"):
        make(DISCRETE).load_state_dict(make(DISCRETE, hidden=(8,)).state_dict())
    state = make(DISCRETE).state_dict()
    del state["observations.mean"]
    with pytest.raises(CheckpointError, match=r"observations\.mean"):
        make(DISCRETE).load_state_dict(state)


@SPACES
def test_a_snapshot_acts_as_the_policy_did_when_it_was_taken(action_space: ActionSpace) -> None:
    policy = make(action_space)
    rollout, rewards = collect(policy, action_space)
    policy.update(rollout, rewards, np.zeros_like(rewards))
    snapshot = PolicySnapshot.from_arrays(policy.policy_arrays(), action_space)
    observations = rollout.observations[0]
    expected = policy.act(observations, np.random.default_rng(5))
    policy.update(*_next_rollout(policy, action_space))
    got = snapshot.act(observations, np.random.default_rng(5))
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])
    assert (snapshot.version, policy.version) == (1, 2)


def _next_rollout(policy: PPO, action_space: ActionSpace) -> tuple[Rollout, Float32, Float32]:
    rollout, rewards = collect(policy, action_space, seed=3)
    return rollout, rewards, np.zeros_like(rewards)


@SPACES
def test_learning_recomputes_the_log_probs_of_acting(action_space: ActionSpace) -> None:
    # After one update the observation scale is not trivial; a vanishing learning rate keeps the policy still.
    policy = make(action_space, learning_rate=1e-12, num_epochs=1)
    policy.update(*_next_rollout(policy, action_space))
    stats = policy.update(*_next_rollout(policy, action_space))
    assert stats.approx_kl == pytest.approx(0.0, abs=1e-6)
    assert stats.clip_fraction == 0.0


def test_a_rollout_of_another_version_is_refused() -> None:
    policy = make(DISCRETE)
    rollout, rewards = collect(policy, DISCRETE)
    policy.update(rollout, rewards, np.zeros_like(rewards))
    with pytest.raises(ValueError, match="version 0"):
        policy.update(rollout, rewards, np.zeros_like(rewards))


def test_rewards_of_another_shape_or_not_finite_are_refused() -> None:
    policy = make(DISCRETE)
    rollout, rewards = collect(policy, DISCRETE)
    with pytest.raises(ShapeError, match="absorbing_rewards"):
        policy.update(rollout, rewards, rewards[:-1])
    with pytest.raises(ShapeError, match="finite"):
        policy.update(rollout, rewards * np.float32(np.nan), rewards)


def test_the_learning_rate_falls_to_its_final_share() -> None:
    policy = make(DISCRETE, learning_rate=1e-3, final_learning_rate_factor=0.1)
    rates = []
    for progress in (0.0, 0.5, 1.0):
        rollout, rewards = collect(policy, DISCRETE)
        rates.append(policy.update(rollout, rewards, np.zeros_like(rewards), progress=progress).learning_rate)
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4])


def test_target_kl_stops_the_policy_but_not_the_critic() -> None:
    stopped = make(DISCRETE, learning_rate=1e-2, target_kl=1e-4, num_epochs=8)
    rollout, rewards = collect(stopped, DISCRETE)
    stats = stopped.update(rollout, rewards, np.zeros_like(rewards))
    assert 0.0 < stats.num_epochs < 8.0
    assert stopped.state_dict()["critic.adam_num_steps"] == 8 * 4


def test_values_do_not_depend_on_the_offset_of_the_reward_through_terminations() -> None:
    # The same data twice, all rewards (the absorbing ones too) shifted by 5: same policy gradient.
    def actor(offset: float) -> Float32:
        policy = make(CONTINUOUS, initial_log_std=1.0, num_epochs=1, minibatch_size=512)
        envs = PointEnvs(8, CONTINUOUS, np.random.default_rng(0))
        rollout, rewards = envs.collect(policy, 64, np.random.default_rng(0))
        # At first the critic knows nothing of the offset, so one constant value is put in its place.
        state = policy.state_dict()
        state["critic.parameters"] = np.zeros_like(state["critic.parameters"])
        state["returns.mean"] = offset / (1 - policy.config.discount)
        policy.load_state_dict(state)
        lift = np.float32(offset)
        policy.update(rollout, rewards + lift, np.full_like(rewards, -1.0) + lift)
        parameters: Float32 = policy.state_dict()["actor.parameters"]
        return parameters

    np.testing.assert_allclose(actor(5.0), actor(0.0), atol=2e-5)


def test_refit_follows_a_changed_reward_and_leaves_the_policy_alone() -> None:
    policy = make(CONTINUOUS, critic_refit_epochs=20, num_epochs=10)
    envs, rng = PointEnvs(8, CONTINUOUS, np.random.default_rng(0)), np.random.default_rng(0)
    rollouts, new_rewards = [], []
    for _ in range(6):
        rollout, rewards = envs.collect(policy, 64, rng)
        policy.update(rollout, rewards, np.zeros_like(rewards))
        rollouts.append(rollout)
        new_rewards.append(7.0 - 30.0 * rewards)
    before = policy.policy_arrays()
    level = np.float32(np.mean(new_rewards))
    stats = policy.refit_critic(rollouts, new_rewards, [np.full_like(r, level) for r in new_rewards])
    after = policy.policy_arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert stats.explained_variance_before < 0.0
    assert stats.explained_variance_after > 0.5
    values = policy.values(rollouts[-1].observations)
    assert values.mean() == pytest.approx(level / (1 - policy.config.discount), rel=0.1)


def test_refit_without_rollouts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        make(DISCRETE).refit_critic([], [], [])


def train(action_space: ActionSpace, seed: int, num_updates: int) -> tuple[float, Float32]:
    """Return the mean true reward per step of the last two rollouts, and the parameters."""
    policy = make(action_space, seed, discount=0.9, learning_rate=3e-3, hidden=(32, 32), num_epochs=8)
    envs = PointEnvs(16, action_space, np.random.default_rng(seed))
    rng, scores = np.random.default_rng(seed), []
    for update in range(num_updates):
        rollout, rewards = envs.collect(policy, 64, rng)
        policy.update(rollout, rewards, np.full_like(rewards, -2.0), progress=update / num_updates)
        scores.append(float(rewards.mean()))
    return float(np.mean(scores[-2:])), parameters(policy)


@pytest.mark.learning
@SPACES
def test_ppo_learns_to_steer_points_to_their_goals(action_space: ActionSpace) -> None:
    # An untrained policy scores about -.75 per step; going to the goal at full force about -.14.
    for seed in (0, 1):
        score, _ = train(action_space, seed, num_updates=25)
        assert score > -0.25


@pytest.mark.learning
def test_training_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (train(CONTINUOUS, seed, num_updates=4)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_differences_below_the_floor_move_the_policy_less() -> None:
    moved = {}
    for floor in (0.0, 1000.0):
        policy = make(DISCRETE, target_kl=None, num_epochs=20, entropy_coef=0.01)
        rollout, rewards = collect(policy, DISCRETE)
        before = policy.policy_arrays()["weight_2"]
        # With advantages so small the entropy bonus, which pulls towards even chances, is all that is left.
        policy.update(rollout, rewards, np.zeros_like(rewards), min_advantage_sd=floor)
        moved[floor] = np.abs(policy.policy_arrays()["weight_2"] - before).mean()
    assert moved[1000.0] < 0.9 * moved[0.0]


@SPACES
def test_a_policy_held_to_its_start_stays_near_until_the_hold_has_loosened(action_space: ActionSpace) -> None:
    def distances(**settings: Any) -> list[float]:
        """KL of eight updates from the start, that of the last four without a hold."""
        policy = make(action_space, target_kl=None, num_epochs=10, reference_share=0.5, **settings)
        policy.hold_to_start(0.1)
        start = PolicySnapshot.from_arrays(policy.policy_arrays(), action_space)
        found = []
        for update in range(8):
            rollout, rewards = collect(policy, action_space, seed=update)
            stats = policy.update(rollout, rewards, np.zeros_like(rewards), progress=0.1 + update / 8)
            assert (stats.reference_kl > 0) == (update < 4 and bool(settings))
            seen = rollout.observations.reshape(-1, 3)
            found.append(float(np.abs(policy._acting.outputs(seen) - start.outputs(seen)).mean()))
        return found

    free, held = distances(), distances(reference_kl=30.0)
    assert held[3] < 0.3 * free[3]
    assert held[7] > 2.0 * held[3]


def test_resuming_a_policy_that_is_held_is_bit_equal() -> None:
    policy = make(DISCRETE, reference_kl=1.0)
    rollout, rewards = collect(policy, DISCRETE)
    policy.hold_to_start(0.0)
    policy.update(rollout, rewards, np.zeros_like(rewards))
    again = make(DISCRETE, seed=5, reference_kl=1.0)
    again.load_state_dict(policy.state_dict())
    rollout, rewards = collect(policy, DISCRETE, seed=1)
    stats = [one.update(rollout, rewards, np.zeros_like(rewards), progress=0.1) for one in (policy, again)]
    assert stats[0] == stats[1]
    assert stats[0].reference_kl > 0
    np.testing.assert_array_equal(parameters(policy), parameters(again))
    free = make(DISCRETE)
    again.load_state_dict(free.state_dict())
    assert not [name for name in again.state_dict() if name.startswith("start.")]


def test_a_hold_of_no_weight_changes_nothing() -> None:
    def learned(*, is_held: bool) -> Float32:
        policy = make(CONTINUOUS)
        if is_held:
            policy.hold_to_start(0.0)
        rollout, rewards = collect(policy, CONTINUOUS)
        policy.update(rollout, rewards, np.zeros_like(rewards))
        return parameters(policy)

    np.testing.assert_array_equal(learned(is_held=True), learned(is_held=False))


@SPACES
def test_imitating_makes_only_what_came_to_more_than_expected_likelier(action_space: ActionSpace) -> None:
    policy = make(action_space, discount=0.0)
    rollout, _ = collect(policy, action_space)
    better = rollout.actions > 0 if action_space is DISCRETE else rollout.actions[..., 0] > 0.5
    rewards = np.where(better, 10.0, -10.0).astype(np.float32)
    nothing = np.zeros_like(rewards)
    before = _log_probs(policy, rollout)
    critic = policy.state_dict()["critic.parameters"]
    for _ in range(30):
        policy.imitate([rollout], [rewards], [nothing], rate=1.0)
    change = _log_probs(policy, rollout) - before
    assert change[better].mean() > 0.1
    assert change[~better].mean() < 0.0
    np.testing.assert_array_equal(policy.state_dict()["critic.parameters"], critic)
    assert policy.version == rollout.policy_version


def test_imitating_what_came_to_less_than_expected_changes_nothing() -> None:
    policy = make(DISCRETE)
    rollout, rewards = collect(policy, DISCRETE)
    before = parameters(policy)
    poor = np.full_like(rewards, -1000.0)
    policy.imitate([rollout], [poor], [poor], rate=1.0)
    np.testing.assert_array_equal(parameters(policy), before)


def _log_probs(policy: PPO, rollout: Rollout) -> Float32:
    """Log-probabilities of what was done under the policy as it is now, (T, N)."""
    flat = rollout.actions.reshape(-1, *rollout.actions.shape[2:])
    found = policy._acting.log_probs(rollout.observations.reshape(-1, 3), flat)
    return found.reshape(rollout.log_probs.shape)


@SPACES
def test_the_log_probs_of_given_actions_are_those_of_acting(action_space: ActionSpace) -> None:
    policy = make(action_space)
    rollout, _ = collect(policy, action_space)
    np.testing.assert_allclose(_log_probs(policy, rollout), rollout.log_probs, rtol=1e-4, atol=1e-5)
