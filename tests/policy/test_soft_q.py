import dataclasses

import numpy as np
import pytest

from rlhf.errors import ConfigError
from rlhf.policy.config import Update
from rlhf.policy.past_episodes import PastEpisode, PastEpisodes
from rlhf.policy.soft_q import SoftQ, SoftQConfig, temperature_for
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace

TWO = ActionSpace("discrete", 2)
SMALL = SoftQConfig(hidden=(8, 16, 16), batch_size=32, discount=0.9)


def corridor(count: int, rng: np.random.Generator) -> PastEpisodes:
    """Five cells; right costs 1 a step until the end, which terminates; left stays. Uniform behaviour."""
    past = PastEpisodes(capacity=count, half_life=1e9, discount=0.9)
    for _ in range(count):
        cells, taken = [0], []
        while cells[-1] < 4 and len(taken) < 30:
            taken.append(int(rng.integers(2)))
            cells.append(cells[-1] + taken[-1])
        past.add(
            [
                PastEpisode(
                    observations=np.eye(5, dtype=np.float32)[cells],
                    options=np.array(taken)[:, None],
                    log_probs=np.full(len(taken), np.log(0.5), np.float32),
                    rewards=np.full(len(taken), -1.0, np.float32),
                    terminated=cells[-1] == 4,
                )
            ]
        )
    return past


def values(q: SoftQ, observations: Float32) -> Float32:
    """Return values in the units of returns, (B, K), of a learner with one number per action."""
    return q.returns.unnormalise(q._values_by(q.network, q.observations(observations))[:, 0])


def made(config: SoftQConfig = SMALL, space: ActionSpace = TWO, dim: int = 5, seed: int = 0) -> SoftQ:
    return SoftQ(config, dim, space, np.random.default_rng(seed))


def test_bootstrapped_values_come_to_those_of_a_policy_that_goes_straight() -> None:
    rng = np.random.default_rng(0)
    past = corridor(150, rng).steps()
    q = made(dataclasses.replace(SMALL, targets="bootstrapped", learning_rate=3e-3, slow_rate=0.05))
    for _ in range(30):
        q.learn(past, 30, 0.02, rng)
    right = values(q, np.eye(5, dtype=np.float32)[:4])[:, 1]
    np.testing.assert_allclose(right, [-3.439, -2.71, -1.9, -1.0], atol=0.35)
    assert q.act(np.eye(5, dtype=np.float32)[:4], rng, deterministic=True)[0].tolist() == [1, 1, 1, 1]


def test_returns_prefer_the_straight_way_as_well() -> None:
    rng = np.random.default_rng(0)
    past = corridor(150, rng).steps()
    q = made(dataclasses.replace(SMALL, learning_rate=3e-3))
    for _ in range(20):
        q.learn(past, 30, 0.02, rng)
    found = values(q, np.eye(5, dtype=np.float32)[:4])
    assert (found[:, 1] > found[:, 0]).all()
    assert found[3, 1] == pytest.approx(-1.0, abs=0.3)


def test_a_horizon_is_no_end() -> None:
    """Of two states with one action, the one that only the horizon ends is worth more steps."""
    past = PastEpisodes(capacity=9, half_life=1e9, discount=0.5)
    for terminated, cell in ((True, 0), (False, 1)):
        past.add(
            [
                PastEpisode(
                    observations=np.eye(2, dtype=np.float32)[[cell, cell]],
                    options=np.zeros((1, 1), np.int64),
                    log_probs=np.full(1, np.log(0.5), np.float32),
                    rewards=np.ones(1, np.float32),
                    terminated=terminated,
                )
            ]
        )
    for targets in ("returns", "bootstrapped"):
        q, rng = (
            made(dataclasses.replace(SMALL, targets=targets, discount=0.5), dim=2),
            np.random.default_rng(0),
        )
        for _ in range(25):
            q.learn(past.steps(), 20, 0.5, rng)
        ended, goes_on = values(q, np.eye(2, dtype=np.float32))[:, 0]
        assert ended == pytest.approx(1.0, abs=0.1)
        assert goes_on > ended + 0.2


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_temperature_gives_the_wanted_entropy_whatever_the_scale(scale: float) -> None:
    found = scale * np.random.default_rng(0).normal(size=(200, 2, 5)).astype(np.float32)
    scores = found / temperature_for(found, 0.3)
    policy = np.exp(scores - scores.max(axis=2, keepdims=True))
    policy /= policy.sum(axis=2, keepdims=True)
    entropy = -(policy * np.log(policy + 1e-30)).sum(axis=2).mean()
    assert entropy == pytest.approx(0.3 * np.log(5), rel=0.01)


def test_continuous_actions_are_options_of_each_number() -> None:
    space = ActionSpace("continuous", 2)
    q = made(space=space, dim=3)
    actions, log_probs = q.act(np.zeros((400, 3), np.float32), np.random.default_rng(0))
    assert actions.dtype == np.float32
    assert set(np.unique(actions)) == {-1.0, -0.5, 0.0, 0.5, 1.0}
    np.testing.assert_allclose(log_probs, 2 * np.log(0.2), atol=0.3)


@pytest.mark.parametrize("update", ["head", "adapters+head"])
def test_a_frozen_trunk_stays_bit_for_bit_and_its_source_too(update: Update) -> None:
    rng = np.random.default_rng(0)
    past, source = corridor(40, rng).steps(), made()
    source.learn(past, 10, 0.3, rng)
    before = source.network.parameters.copy()
    q = made(dataclasses.replace(SMALL, update=update), seed=1)
    q.start_from(source, rng)
    q.learn(past, 20, 0.3, rng)
    np.testing.assert_array_equal(source.network.parameters, before)
    moved = [
        not np.array_equal(mine, theirs)
        for mine, theirs in zip(q.network.matrices, source.slow.matrices, strict=True)
    ]
    assert moved == [update == "adapters+head", False, False, True]


@pytest.mark.parametrize("update", ["last-block", "low-rank", "all"])
def test_other_updates_move_the_trunk(update: Update) -> None:
    rng = np.random.default_rng(0)
    past, source = corridor(40, rng).steps(), made()
    q = made(dataclasses.replace(SMALL, update=update), seed=1)
    q.start_from(source, rng)
    q.learn(past, 20, 0.3, rng)
    assert (q.network.matrices[2] != source.slow.matrices[2]).any()


def test_a_moving_scale_of_returns_leaves_what_the_network_says() -> None:
    q = made(dataclasses.replace(SMALL, update="low-rank"))
    seen = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    q._rescale(np.array([0.0, 2.0], np.float32))
    before = values(q, seen)
    q._rescale(np.array([100.0, -50.0], np.float32))
    np.testing.assert_allclose(values(q, seen), before, atol=1e-4)
    q._learned.push()  # what the optimiser writes back must not undo it
    np.testing.assert_allclose(values(q, seen), before, atol=1e-4)


def test_another_reward_brings_its_scale_and_leaves_what_is_preferred() -> None:
    """Returns that say the same in other numbers change no preference, however far away they lie."""
    rng, seen = np.random.default_rng(0), np.eye(5, dtype=np.float32)[:4]
    past = corridor(150, rng).steps()
    q = made(dataclasses.replace(SMALL, learning_rate=3e-3))
    for _ in range(20):
        q.learn(past, 30, 0.02, rng)
    before = q._values_by(q.network, q.observations(seen))
    other = dataclasses.replace(past, returns=40.0 * past.returns + 1000.0)
    q.meet_reward(other)
    np.testing.assert_array_equal(q._values_by(q.network, q.observations(seen)), before)
    assert (q.returns.mean, q.returns.sd) == pytest.approx((other.returns.mean(), other.returns.std()))
    q.learn(other, 1, 0.02, rng)
    np.testing.assert_allclose(q._values_by(q.network, q.observations(seen)), before, atol=0.3)
    q.meet_reward(None)
    assert (q.returns.mean, q.returns.sd) == (0.0, 1.0)


def test_other_shapes_take_over_the_trunk_alone() -> None:
    source, rng = made(), np.random.default_rng(0)
    q = SoftQ(SMALL, 3, ActionSpace("continuous", 1), rng)
    adapter, head = q.network.matrices[0].copy(), q.network.matrices[-1].copy()
    q.start_from(source, rng)
    for mine, theirs in zip(q.network.matrices[1:-1], source.slow.matrices[1:-1], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(q.network.matrices[0], adapter)
    np.testing.assert_array_equal(q.network.matrices[-1], head)


@pytest.mark.parametrize("update", ["head", "last-block", "low-rank"])
def test_a_new_adapter_is_never_frozen(update: Update) -> None:
    source, config = made(), dataclasses.replace(SMALL, update=update)
    made(config, ActionSpace("continuous", 1)).start_from(source, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="observes 5 numbers, the target 3"):
        made(config, dim=3).start_from(source, np.random.default_rng(0))


def test_a_learner_without_a_source_is_pulled_nowhere() -> None:
    past, found = corridor(20, np.random.default_rng(0)).steps(), []
    for pull in (0.0, 1.0):
        q = made(dataclasses.replace(SMALL, source_pull=pull))
        q.learn(past, 5, 0.3, np.random.default_rng(1))
        found.append(q.network.parameters)
    np.testing.assert_array_equal(*found)


def test_calm_behaviour_is_that_of_the_slow_network() -> None:
    q, seen = made(), np.eye(5, dtype=np.float32)
    q.slow.matrices[-1][-1] = [9.0, 0.0]
    q.network.matrices[-1][-1] = [0.0, 9.0]
    q.temperature = q.calm_temperature = 0.1
    rng = np.random.default_rng(0)
    assert q.act(seen, rng, deterministic=True)[0].tolist() == [0] * 5
    assert q.act(seen, rng)[0].tolist() == [1] * 5


def test_noise_decides_what_is_explored() -> None:
    q, noise = made(), np.zeros((5, 1, 2))
    noise[:, 0, 1] = 20.0
    options, log_probs = q.explore(np.eye(5, dtype=np.float32), noise)
    assert options.tolist() == [[1]] * 5
    np.testing.assert_allclose(log_probs, np.log(0.5), atol=0.05)


def test_the_pull_keeps_the_trunk_near_the_source() -> None:
    rng = np.random.default_rng(0)
    past, source, far = corridor(40, rng).steps(), made(), []
    for pull in (0.0, 1.0):
        q = made(dataclasses.replace(SMALL, source_pull=pull), seed=1)
        q.start_from(source, np.random.default_rng(2))
        q.learn(past, 60, 0.3, np.random.default_rng(3))
        far.append(float(np.abs(q.network.matrices[1] - source.slow.matrices[1]).mean()))
    assert far[1] < 0.5 * far[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": ()},
        {"targets": "hopes"},
        {"update": "everything"},
        {"discount": 1.0},
        {"trace": 1.5},
        {"learning_rate": 0.0},
        {"batch_size": 30},
        {"num_bins": 1},
        {"last_entropy": 0.0},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SoftQConfig(**settings)  # type: ignore[arg-type]
