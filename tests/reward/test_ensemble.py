import io
from pathlib import Path

import numpy as np
import pytest
from synthetic_truths import Problem, make_problem

from rlhf.errors import CheckpointError, ShapeError
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import fit


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem("pendulum", 0, 20)


@pytest.fixture(scope="module", params=["linear", "quadratic", "mlp"])
def model(request: pytest.FixtureRequest, problem: Problem) -> RewardModel:
    config = RewardConfig(model_class=request.param, max_epochs=5, hidden=(16,))
    return fit(problem.data, problem.reference, config, np.random.default_rng(0))[0]


def test_rewards_are_normalised_over_the_reference(model: RewardModel, problem: Problem) -> None:
    members = model.member_rewards(problem.reference)
    np.testing.assert_allclose(members.mean(axis=1), 0.0, atol=1e-3)
    np.testing.assert_allclose(members.std(axis=1), 1.0, atol=1e-3)


def test_many_rows_give_the_same_as_one_by_one(model: RewardModel, problem: Problem) -> None:
    rows = np.tile(problem.reference, (3, 1))[:5000]
    reward, spread = model.rewards(rows)
    alone = [model.rewards(rows[index : index + 1]) for index in (0, 4095, 4096, 4999)]
    np.testing.assert_allclose(reward[[0, 4095, 4096, 4999]], [float(r[0]) for r, _ in alone], atol=1e-4)
    np.testing.assert_allclose(spread[[0, 4095, 4096, 4999]], [float(s[0]) for _, s in alone], atol=1e-4)
    assert reward.dtype == spread.dtype == np.float32


def test_differences_of_returns_order_probabilities(model: RewardModel, problem: Problem) -> None:
    returns = model.member_returns(problem.held_out)
    first, second = np.arange(0, 300, 2), np.arange(1, 300, 2)
    probs = model.member_probs(returns, first, second)
    # nobody said equal, so with noise .1: .9 sigmoid(difference) + .05
    difference = returns[:, first] - returns[:, second]
    np.testing.assert_allclose(probs, 0.9 / (1.0 + np.exp(-difference)) + 0.05, atol=1e-4)
    np.testing.assert_allclose(probs + model.member_probs(returns, second, first), 1.0, atol=1e-5)


def test_returns_do_not_depend_on_how_often_a_segment_is_repeated(
    model: RewardModel, problem: Problem
) -> None:
    twice = np.concatenate([problem.held_out, problem.held_out], axis=1)
    np.testing.assert_allclose(model.member_returns(twice), model.member_returns(problem.held_out), atol=1e-3)


def test_returns_agree_with_rewards_up_to_scale(model: RewardModel, problem: Problem) -> None:
    rewards = model.member_rewards(problem.held_out.reshape(-1, model.num_features))
    means = rewards.reshape(len(rewards), 300, 50).mean(axis=-1)
    returns = model.member_returns(problem.held_out)
    for member in range(len(means)):
        assert np.corrcoef(means[member], returns[member])[0, 1] > 0.9999


def test_a_stored_model_is_the_same_model(model: RewardModel, problem: Problem) -> None:
    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = RewardModel.from_arrays(dict(arrays))
    np.testing.assert_array_equal(again.rewards(problem.reference)[0], model.rewards(problem.reference)[0])
    np.testing.assert_array_equal(
        again.member_returns(problem.held_out), model.member_returns(problem.held_out)
    )
    assert (again.version, again.config, again.selection) == (model.version, model.config, model.selection)
    np.testing.assert_array_equal(
        again.member_probs(np.eye(5, 2, dtype=np.float32), np.array([0]), np.array([1])),
        model.member_probs(np.eye(5, 2, dtype=np.float32), np.array([0]), np.array([1])),
    )


@pytest.mark.parametrize("model_class", ["linear", "quadratic", "mlp"])
def test_models_of_format_1_are_read(model_class: str) -> None:
    with np.load(Path(__file__).parent / f"assets/format_1_{model_class}.npz", allow_pickle=False) as file:
        arrays = dict(file)
    features, returns, rewards = (
        arrays.pop(f"expected.{name}") for name in ("features", "returns", "rewards")
    )
    again = RewardModel.from_arrays(arrays)
    assert again.selection.model_class == model_class
    np.testing.assert_allclose(again.member_returns(features), returns, atol=1e-4)
    np.testing.assert_allclose(again.rewards(features.reshape(-1, again.num_features))[0], rewards, atol=1e-4)
    RewardModel.from_arrays(again.to_arrays())


def test_an_unknown_format_is_refused(model: RewardModel) -> None:
    arrays = model.to_arrays()
    arrays["meta"] = np.frombuffer(
        arrays["meta"].tobytes().replace(b'"format_version": 2', b'"format_version": 9'), dtype=np.uint8
    )
    with pytest.raises(CheckpointError, match="format 9"):
        RewardModel.from_arrays(arrays)


@pytest.mark.parametrize("missing", ["meta", "gain", "network.skip"])
def test_an_incomplete_file_is_refused(model: RewardModel, missing: str) -> None:
    arrays = model.to_arrays()
    del arrays[missing]
    with pytest.raises(CheckpointError):
        RewardModel.from_arrays(arrays)


def test_features_of_another_task_are_refused(model: RewardModel) -> None:
    with pytest.raises(ShapeError, match="features"):
        model.rewards(np.zeros((3, 2), np.float32))


def test_no_transitions_give_no_rewards(model: RewardModel) -> None:
    reward, spread = model.rewards(np.zeros((0, model.num_features), np.float32))
    assert reward.shape == spread.shape == (0,)
