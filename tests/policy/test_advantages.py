import numpy as np
import numpy.typing as npt
import pytest

from rlhf.errors import ShapeError
from rlhf.policy.advantages import explained_variance, generalised_advantages, successor_values
from rlhf.types.experience import Bool, Float32


def column(*numbers: float) -> Float32:
    return np.array(numbers, np.float32)[:, None]


def flags(*values: int) -> Bool:
    return np.array(values, bool)[:, None]


def test_golden_advantages_without_ends() -> None:
    # gamma = .5, lambda = .5
    # deltas: 1 + .5*3 - 2 = .5;  0 + .5*1 - 3 = -2.5;  2 + .5*4 - 1 = 3
    # A_2 = 3;  A_1 = -2.5 + .25*3 = -1.75;  A_0 = .5 + .25*-1.75 = .0625
    advantages = generalised_advantages(
        rewards=column(1, 0, 2),
        values=column(2, 3, 1),
        successors=column(3, 1, 4),
        terminated=flags(0, 0, 0),
        truncated=flags(0, 0, 0),
        discount=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_allclose(advantages, column(0.0625, -1.75, 3))


@pytest.mark.parametrize("kind", ["terminated", "truncated"])
def test_accumulation_is_cut_at_an_end(kind: str) -> None:
    # As above, but step 1 ends its episode: A_1 = delta_1 = -2.5;  A_0 = .5 + .25*-2.5 = -.125
    ends = {"terminated": flags(0, 0, 0), "truncated": flags(0, 0, 0), kind: flags(0, 1, 0)}
    advantages = generalised_advantages(
        rewards=column(1, 0, 2),
        values=column(2, 3, 1),
        successors=column(3, 1, 4),
        terminated=ends["terminated"],
        truncated=ends["truncated"],
        discount=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_allclose(advantages, column(-0.125, -2.5, 3))


def test_termination_is_worth_the_absorbing_state_and_truncation_the_next_value() -> None:
    # gamma = .75: absorbing reward -1 for ever is worth -1 / .25 = -4; the 7s are not read.
    successors = successor_values(column(10, 20, 30), flags(0, 1, 0), column(7, -1, 7), 0.75)
    np.testing.assert_allclose(successors, column(10, -4, 30))


def random_batch(rng: np.random.Generator) -> dict[str, npt.NDArray[np.float32]]:
    return {
        name: rng.normal(size=(12, 3)).astype(np.float32) for name in ("rewards", "values", "next_values")
    }


def test_lambda_one_plus_value_is_the_bootstrapped_discounted_return() -> None:
    rng = np.random.default_rng(0)
    batch = random_batch(rng)
    terminated, truncated = rng.random((12, 3)) < 0.1, rng.random((12, 3)) < 0.2
    ends = terminated | truncated
    # Inside an episode what follows a step is the value of the next row.
    next_values = batch["next_values"]
    next_values[:-1] = np.where(ends[:-1], next_values[:-1], batch["values"][1:])
    absorbing = np.full((12, 3), 0.5, np.float32)
    successors = successor_values(next_values, terminated, absorbing, 0.9)
    advantages = generalised_advantages(
        rewards=batch["rewards"],
        values=batch["values"],
        successors=successors,
        terminated=terminated,
        truncated=truncated,
        discount=0.9,
        gae_lambda=1.0,
    )
    expected = np.zeros((12, 3))
    for env in range(3):
        for start in range(12):
            total, weight = 0.0, 1.0
            for step in range(start, 12):
                total += weight * batch["rewards"][step, env]
                weight *= 0.9
                if ends[step, env] or step == 11:
                    total += weight * successors[step, env]
                    break
            expected[start, env] = total
    np.testing.assert_allclose(advantages + batch["values"], expected, rtol=1e-5, atol=1e-5)


def test_lambda_zero_is_the_one_step_error() -> None:
    rng = np.random.default_rng(1)
    batch = random_batch(rng)
    nowhere = np.zeros((12, 3), bool)
    advantages = generalised_advantages(
        rewards=batch["rewards"],
        values=batch["values"],
        successors=batch["next_values"],
        terminated=nowhere,
        truncated=nowhere,
        discount=0.9,
        gae_lambda=0.0,
    )
    np.testing.assert_allclose(
        advantages, batch["rewards"] + 0.9 * batch["next_values"] - batch["values"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("share_terminated", [0.0, 0.3])
def test_a_constant_reward_is_worth_the_same_with_and_without_terminations(share_terminated: float) -> None:
    constant, discount, shape = 0.7, 0.95, (20, 4)
    terminated = np.random.default_rng(2).random(shape) < share_terminated
    values = np.full(shape, constant / (1 - discount), np.float32)
    rewards = np.full(shape, constant, np.float32)
    advantages = generalised_advantages(
        rewards=rewards,
        values=values,
        successors=successor_values(values, terminated, rewards, discount),
        terminated=terminated,
        truncated=np.zeros(shape, bool),
        discount=discount,
        gae_lambda=0.9,
    )
    np.testing.assert_allclose(advantages, 0.0, atol=1e-4)


def test_shifting_all_rewards_leaves_advantages_as_they_were() -> None:
    rng = np.random.default_rng(3)
    batch = random_batch(rng)
    terminated, truncated = rng.random((12, 3)) < 0.2, rng.random((12, 3)) < 0.2
    absorbing = rng.normal(size=(12, 3)).astype(np.float32)

    def advantages(offset: float) -> Float32:
        lift = np.float32(offset / (1 - 0.9))
        return generalised_advantages(
            rewards=batch["rewards"] + np.float32(offset),
            values=batch["values"] + lift,
            successors=successor_values(
                batch["next_values"] + lift, terminated, absorbing + np.float32(offset), 0.9
            ),
            terminated=terminated,
            truncated=truncated,
            discount=0.9,
            gae_lambda=0.95,
        )

    np.testing.assert_allclose(advantages(3.0), advantages(0.0), atol=1e-4)


def test_arrays_of_different_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="values"):
        generalised_advantages(
            rewards=column(1, 2),
            values=column(1),
            successors=column(1, 2),
            terminated=flags(0, 0),
            truncated=flags(0, 0),
            discount=0.9,
            gae_lambda=0.9,
        )


def test_explained_variance_of_perfect_constant_and_undefined_predictions() -> None:
    targets = np.array([1.0, 2.0, 3.0], np.float32)
    assert explained_variance(targets, targets) == pytest.approx(1.0)
    assert explained_variance(np.zeros(3, np.float32), targets) == pytest.approx(0.0)
    assert explained_variance(targets, np.ones(3, np.float32)) == 0.0
