"""A potential changes the way and not the goal: on small decision processes that are solved exactly."""

import numpy as np
import pytest

from rlhf.policy.advantages import absorbing_values
from rlhf.reward.shaping import Shaping, make_shaping
from rlhf.types.design import Potential
from rlhf.types.experience import Float64

STATES, ACTIONS, DISCOUNT = 12, 3, 0.9
ABSORBING = STATES - 1
"""Where the agent stays."""
OBSERVATIONS = np.linspace(-3.0, 8.0, STATES, dtype=np.float32)[:, None]


def random_process(seed: int) -> tuple[Float64, Float64]:
    """Transition probabilities (S, A, S) and rewards (S, A, S); the last state is absorbing."""
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.full(STATES, 0.3), (STATES, ACTIONS))
    transitions[ABSORBING] = np.eye(STATES)[ABSORBING]
    rewards = rng.normal(size=(STATES, ACTIONS, STATES))
    rewards[ABSORBING] = -0.3
    return transitions, rewards


def shaping_rewards(shaping: Shaping, *, is_terminal_ignored: bool = False) -> Float64:
    """What each transition (S, S) gets; none from the absorbing state on."""
    first, second = np.divmod(np.arange(STATES * STATES), STATES)
    terminated = (second == ABSORBING) & (not is_terminal_ignored)
    rewards = shaping.rewards(OBSERVATIONS[first], OBSERVATIONS[second], terminated, DISCOUNT)
    rewards = rewards.reshape(STATES, STATES).astype(np.float64)
    rewards[ABSORBING] = 0.0
    return rewards


def optimal_values(transitions: Float64, rewards: Float64) -> tuple[Float64, Float64]:
    """Optimal action values (S, A) and state values (S,), by value iteration."""
    values = np.zeros(STATES)
    for _ in range(500):
        action_values = (transitions * (rewards + DISCOUNT * values)).sum(axis=-1)
        values = action_values.max(axis=1)
    return action_values, values


SHAPINGS = [
    Shaping(column=0, slope=3.0, origin=1.0, is_nearness=False),
    Shaping(column=0, slope=-3.0, origin=-7.0, is_nearness=False),
    Shaping(column=0, slope=5.0, origin=2.5, is_nearness=True),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shaping", SHAPINGS)
def test_the_best_policy_stays_and_values_shift_by_the_potential(seed: int, shaping: Shaping) -> None:
    transitions, rewards = random_process(seed)
    plain, values = optimal_values(transitions, rewards)
    shaped, shaped_values = optimal_values(transitions, rewards + shaping_rewards(shaping)[:, None])
    np.testing.assert_array_equal(shaped[:ABSORBING].argmax(axis=1), plain[:ABSORBING].argmax(axis=1))
    potentials = shaping.potentials(OBSERVATIONS)
    potentials[ABSORBING] = 0.0
    np.testing.assert_allclose(values - shaped_values, potentials, atol=1e-4)
    assert shaped_values[ABSORBING] == pytest.approx(absorbing_values(np.float32(-0.3), DISCOUNT), abs=1e-5)


def test_a_potential_of_the_absorbing_state_would_change_the_best_policy() -> None:
    shaping, changed = SHAPINGS[0], 0
    for seed in range(5):
        transitions, rewards = random_process(seed)
        wrong = shaping_rewards(shaping, is_terminal_ignored=True)
        plain, shaped = (
            optimal_values(transitions, one)[0][:ABSORBING].argmax(axis=1)
            for one in (rewards, rewards + wrong[:, None])
        )
        changed += int((plain != shaped).any())
    assert changed > 0


def test_a_round_trip_earns_nothing() -> None:
    steps = np.array([[0.0], [1.0], [3.0], [0.0]], np.float32)
    shaped = SHAPINGS[0].rewards(steps[:-1], steps[1:], np.zeros(3, np.bool_), discount=1.0)
    assert shaped.sum() == pytest.approx(0.0, abs=1e-5)


def test_a_designed_potential_is_in_units_of_what_is_seen() -> None:
    values = np.array([[1.0, 5.0], [9.0, 5.0]], np.float32)
    more = make_shaping(Potential(feature="height", weight=2.0), 3, values)
    assert (more.column, more.origin, more.is_nearness) == (3, 5.0, False)
    assert more.slope == pytest.approx(2.0 / values.std())
    near = make_shaping(Potential(feature="height", weight=2.0, target=4.0), 0, values)
    np.testing.assert_allclose(
        near.potentials(np.array([[4.0], [5.0], [3.0]], np.float32)), [0, -near.slope, -near.slope]
    )


def test_what_never_varies_shapes_nothing() -> None:
    still = make_shaping(Potential(feature="height", weight=2.0), 0, np.ones((4, 2), np.float32))
    assert still.slope == 0.0
