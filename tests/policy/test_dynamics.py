import dataclasses

import numpy as np
import pytest

from rlhf.policy.dynamics import DynamicsConfig, DynamicsModel, Steps, distinct
from rlhf.types.experience import Float32

MATRIX = np.array([[0.9, 0.2], [-0.2, 0.9]])
PUSH = np.array([[0.0], [0.3]])
SMALL = DynamicsConfig(members=3, hidden=(32, 32), batch_size=64, capacity=4000)


def linear_steps(count: int, rng: np.random.Generator, *, wall: bool = False) -> Steps:
    states = rng.uniform(-1.0, 1.0, (count, 2))
    actions = rng.uniform(-1.0, 1.0, (count, 1))
    following = states @ MATRIX.T + actions @ PUSH.T
    return Steps(
        states=states.astype(np.float32),
        actions=actions.astype(np.float32),
        following=following.astype(np.float32),
        ended=(following[:, 0] > 0.5) if wall else np.zeros(count, np.bool_),
        episodes=np.arange(count) // 20,
    )


def learned(steps: Steps, seed: int = 0, updates: int = 1200) -> DynamicsModel:
    model = DynamicsModel(SMALL, steps.states.shape[1], steps.actions.shape[1], np.random.default_rng(seed))
    model.add(steps)
    model.fit(updates)
    return model


def for_all(array: Float32) -> Float32:
    return np.tile(array, (SMALL.members, 1, 1))


def test_a_linear_system_is_learned_to_two_percent() -> None:
    model = learned(linear_steps(3000, np.random.default_rng(0)))
    new = linear_steps(500, np.random.default_rng(1))
    foretold, ended = model.step(for_all(new.states), for_all(new.actions))
    assert np.sqrt(np.mean((foretold.mean(axis=0) - new.following) ** 2)) < 0.02
    assert not ended.any()
    assert model.held_out_error() < 0.01


def test_what_is_held_out_is_never_learned_from() -> None:
    steps = linear_steps(400, np.random.default_rng(0))
    strange = steps._replace(following=np.where((steps.episodes % 10 == 0)[:, None], 0.0, steps.following))
    foretold = [
        learned(which._replace(following=which.following.astype(np.float32)), updates=300).held_out_error()
        for which in (steps, strange)
    ]
    assert foretold[0] < 0.1
    assert foretold[1] > 0.3


def test_the_end_of_an_episode_is_foretold() -> None:
    model = learned(linear_steps(3000, np.random.default_rng(0), wall=True))
    new = linear_steps(500, np.random.default_rng(1), wall=True)
    clear = np.abs(new.following[:, 0] - 0.5) > 0.1
    _, ended = model.step(for_all(new.states), for_all(new.actions))
    assert (ended.mean(axis=0) > 0.5)[clear].astype(int).tolist() == new.ended[clear].astype(int).tolist()


def test_members_disagree_most_where_nothing_was_seen() -> None:
    steps = linear_steps(3000, np.random.default_rng(0))
    states = steps.states * [0.5, 1.0] - [0.5, 0.0]
    following = states @ MATRIX.T + steps.actions @ PUSH.T
    model = learned(steps._replace(states=states.astype(np.float32), following=following.astype(np.float32)))
    here, there = (np.array([[x, 0.0]], np.float32) for x in (-0.5, 0.9))
    still = np.zeros((1, 1), np.float32)
    spreads = [model.spread(model.step(for_all(state), for_all(still))[0])[0] for state in (here, there)]
    assert spreads[1] > 3 * spreads[0]


def test_bits_stay_bits_and_numbers_stay_in_their_range() -> None:
    rng = np.random.default_rng(0)
    bits = rng.choice([-1.0, 1.0], (600, 4)).astype(np.float32)
    flips = np.eye(4, dtype=np.float32)[rng.integers(4, size=600)]
    steps = Steps(bits, flips, bits * (1 - 2 * flips), np.zeros(600, np.bool_), np.arange(600))
    model = learned(steps, updates=60)
    assert model.is_discrete
    assert set(np.unique(model.step(for_all(bits), for_all(flips))[0])) == {-1.0, 1.0}
    numbers = learned(steps._replace(states=0.5 * bits), updates=60)
    assert not numbers.is_discrete
    assert np.abs(numbers.step(for_all(bits), for_all(9 * flips))[0]).max() <= 1.0


def test_after_forgetting_a_changed_world_is_learned_from_few_steps() -> None:
    model = learned(linear_steps(3000, np.random.default_rng(0)))
    changed = linear_steps(500, np.random.default_rng(1))
    changed = changed._replace(following=changed.states + (changed.following - changed.states) * 2)
    model.forget()
    model.add(changed)
    before = model.held_out_error()
    model.fit(300)
    assert before > 0.1
    assert model.held_out_error() < 0.03


def test_noise_teaches_nothing_and_a_changed_world_much() -> None:
    rng = np.random.default_rng(3)
    old, few = linear_steps(3000, np.random.default_rng(0)), linear_steps(60, rng)
    noisy = few._replace(
        following=few.following + rng.normal(0.0, 0.5, few.following.shape).astype(np.float32)
    )
    turned = few._replace(following=(few.following + 0.3 * few.actions).astype(np.float32))
    errors = {}
    for name, steps in (("noisy", noisy), ("turned", turned)):
        for way in ("fit", "adapt"):
            model = learned(old)
            model.forget()
            model.add(steps)
            getattr(model, way)(1000)
            errors[name, way] = error_of(model, linear_steps(500, np.random.default_rng(4)), steps is turned)
    assert errors["noisy", "adapt"] < 0.5 * errors["noisy", "fit"]
    assert errors["turned", "adapt"] < 0.1


def error_of(model: DynamicsModel, new: Steps, turned: bool) -> float:
    """Root mean squared error in a world without noise."""
    truth = new.following + 0.3 * new.actions * turned
    foretold, _ = model.step(for_all(new.states), for_all(new.actions))
    return float(np.sqrt(np.mean((foretold.mean(axis=0) - truth) ** 2)))


def test_without_held_out_steps_adapting_is_learning() -> None:
    steps = linear_steps(400, np.random.default_rng(0))
    steps = steps._replace(episodes=np.ones(400, np.int64))
    one, other = (learned(steps, updates=0) for _ in range(2))
    one.fit(60)
    other.adapt(60)
    for key, value in one.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[key], err_msg=key)


def test_the_same_seed_learns_the_same() -> None:
    steps = linear_steps(300, np.random.default_rng(0))
    inputs = for_all(steps.states), for_all(steps.actions)
    first, again, other = (learned(steps, seed, updates=20).step(*inputs)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_oldest_steps_are_forgotten_and_none_is_needed() -> None:
    empty = DynamicsModel(SMALL, 2, 1, np.random.default_rng(0))
    empty.fit(3)
    model = learned(linear_steps(SMALL.capacity, np.random.default_rng(0)), updates=0)
    zeros = linear_steps(SMALL.capacity, np.random.default_rng(1))
    model.add(zeros._replace(following=zeros.states))
    assert np.isnan(model.held_out_error())  # nothing changes in what is left


def test_distinct_rows_are_found_once() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    first, which = distinct(rows)
    assert len(first) == 3
    assert np.array_equal(rows[first][which], rows)


@pytest.mark.parametrize("changes", [{"members": 1}, {"hidden": ()}, {"learning_rate": 0.0}, {"capacity": 0}])
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        dataclasses.replace(DynamicsConfig(), **changes)  # type: ignore[arg-type]
