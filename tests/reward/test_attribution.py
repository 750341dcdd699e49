import numpy as np
import pytest
import torch
from synthetic_truths import STEPS, make_problem

from rlhf.errors import ShapeError
from rlhf.reward.attribution import attribute
from rlhf.reward.config import ModelClass, RewardConfig
from rlhf.reward.encoder import MIN_SEQUENCES
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import fit
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData

CLASSES: tuple[ModelClass, ...] = ("linear", "quadratic", "mlp", "encoded")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def fitted(data: PreferenceData, model_class: ModelClass, seed: int = 0) -> RewardModel:
    config = RewardConfig(model_class=model_class, max_epochs=5, weight_decays=(0.1,))
    size = data.features.shape[-1]
    sequences = np.random.default_rng(1).normal(size=(MIN_SEQUENCES, 3, size)).astype(np.float32)
    reference = data.features.reshape(-1, size)
    return fit(data, reference, config, np.random.default_rng(seed), sequences=sequences)[0]


@pytest.mark.parametrize("model_class", CLASSES)
def test_contributions_add_up_to_the_reward(model_class: ModelClass) -> None:
    problem = make_problem("pendulum", 0, 40)
    model = fitted(problem.data, model_class)
    steps = problem.held_out.reshape(-1, model.num_features)[:700]
    made_of = attribute(model, steps)
    total = made_of.contributions.sum(axis=-1) + made_of.base[:, None]
    np.testing.assert_allclose(total, model.member_rewards(steps), atol=2e-3)


def test_a_linear_reward_is_shared_by_its_weights() -> None:
    problem = make_problem("linear", 0, 60)
    model = fitted(problem.data, "linear")
    steps = problem.held_out[0]
    contributions = attribute(model, steps).contributions
    weights = model.network.skip[..., 0] / model.output_normaliser.sd[:, None]
    np.testing.assert_allclose(contributions, weights[:, None] * model.input_normaliser(steps), atol=1e-5)


def test_a_product_is_shared_equally() -> None:
    problem = make_problem("linear", 0, 60)
    model = fitted(problem.data, "quadratic")
    model.network.skip[:] = 0.0
    first, other = model.network.columns[:2]
    model.network.skip[:, model.num_features + 1] = 1.0  # after the square of the first comes this product
    contributions = attribute(model, problem.held_out[0]).contributions
    assert contributions.any()
    np.testing.assert_allclose(contributions[..., first], contributions[..., other], rtol=1e-5)
    assert not np.delete(contributions, [first, other], axis=-1).any()


def test_steps_one_by_one_are_as_all_together() -> None:
    problem = make_problem("pendulum", 0, 40)
    model = fitted(problem.data, "mlp")
    steps = problem.held_out.reshape(-1, model.num_features)[:600]
    together = attribute(model, steps).contributions
    alone = attribute(model, steps[550:551]).contributions
    np.testing.assert_allclose(together[:, 550:551], alone, atol=1e-5)


def test_no_steps_have_no_contributions() -> None:
    model = fitted(make_problem("linear", 0, 60).data, "mlp")
    assert attribute(model, np.zeros((0, model.num_features), np.float32)).contributions.shape[1] == 0


def test_features_of_another_task_are_refused() -> None:
    model = fitted(make_problem("linear", 0, 60).data, "linear")
    with pytest.raises(ShapeError, match="features"):
        attribute(model, np.zeros((3, 2), np.float32))


def planted(feature: int, seed: int) -> PreferenceData:
    """Answers of somebody who looks at one of seven features only, and bends what they see."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(size=(200, 1, 7))
    features: Float32 = (levels + 0.5 * rng.normal(size=(200, STEPS, 7))).astype(np.float32)
    returns = np.tanh(features[..., feature]).mean(axis=1)
    first, second = np.arange(0, 200, 2), np.arange(1, 200, 2)
    return PreferenceData(
        features=features,
        first=first,
        second=second,
        prob_first=(returns[first] > returns[second]).astype(np.float32),
        annotator=np.zeros(100, np.int64),
    )


@pytest.mark.parametrize("model_class", ["linear", "quadratic", "mlp"])
def test_a_planted_feature_ranks_first_in_ten_of_ten_seeds(model_class: ModelClass) -> None:
    ranked_first = []
    for seed in range(10):
        data = planted(seed % 7, seed)
        made_of = attribute(fitted(data, model_class, seed), data.features.reshape(-1, 7))
        weight = np.abs(made_of.contributions.mean(axis=0)).mean(axis=0)
        ranked_first.append(int(weight.argmax()))
    assert ranked_first == [seed % 7 for seed in range(10)]
