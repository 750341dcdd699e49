import dataclasses

import numpy as np
import pytest
import torch
from synthetic_truths import make_problem as make_truth

from rlhf.reward.answer_model import ordinary
from rlhf.reward.chosen import Selection
from rlhf.reward.config import MODEL_CLASSES, ModelClass, RewardConfig
from rlhf.reward.normalise import input_normaliser
from rlhf.reward.selection import (
    CandidateScore,
    allowed_classes,
    is_fresh,
    make_problem,
    select,
    start_networks,
)

FEW_EPOCHS = RewardConfig(max_epochs=8, hidden=(16,), weight_decays=(0.1,))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def run(
    truth: str, config: RewardConfig = FEW_EPOCHS, count: int = 150
) -> tuple[Selection, tuple[CandidateScore, ...]]:
    data = make_truth(truth, 0, count).data  # type: ignore[arg-type]
    problem = make_problem(data, input_normaliser(data.features)(data.features), allowed_classes(config))
    generator = torch.Generator().manual_seed(0)
    return select(problem, ordinary(data, 0.1), config, np.random.default_rng(0), generator)


def test_a_linear_goal_gets_a_linear_reward() -> None:
    chosen, scores = run("linear", dataclasses.replace(FEW_EPOCHS, selection_margin=1.0))
    assert chosen.model_class == "linear"
    assert chosen.num_answers == 150
    assert [score.model_class for score in scores] == ["linear", "quadratic", "mlp"]


def test_a_goal_that_bends_gets_one_that_can_bend() -> None:
    chosen, scores = run("pendulum")
    assert chosen.model_class != "linear"
    linear = scores[0]
    assert linear.excess > linear.excess_error


def test_a_simpler_class_wins_within_the_margin() -> None:
    generous = dataclasses.replace(FEW_EPOCHS, selection_margin=1000.0)
    assert run("pendulum", generous)[0].model_class == "linear"


def test_only_allowed_classes_are_tried() -> None:
    chosen, scores = run("linear", dataclasses.replace(FEW_EPOCHS, model_class="quadratic"))
    assert chosen.model_class == "quadratic"
    assert len(scores) == 1


@pytest.mark.parametrize("name", MODEL_CLASSES)
def test_a_class_that_is_asked_for_is_used_however_few_the_answers(name: ModelClass) -> None:
    chosen, _ = run("linear", RewardConfig(model_class=name), count=3)
    assert chosen.model_class == name
    assert chosen.base == ("quadratic" if name == "quadratic" else "linear")


def test_too_few_answers_choose_nothing() -> None:
    chosen, scores = run("pendulum", count=8)
    assert (chosen.model_class, chosen.num_answers, scores) == ("linear", 0, ())


def test_a_choice_stands_until_the_answers_have_outgrown_it() -> None:
    chosen = Selection(model_class="linear", ridge=1.0, num_answers=100)
    config = RewardConfig(reselect_growth=0.25)
    assert is_fresh(chosen, config, 124, has_source=False)
    assert not is_fresh(chosen, config, 125, has_source=False)
    assert not is_fresh(chosen, dataclasses.replace(config, model_class="mlp"), 101, has_source=False)
    assert not is_fresh(Selection(model_class="linear", ridge=1.0), config, 8, has_source=False)


def test_a_choice_that_uses_a_source_stands_only_while_there_is_one() -> None:
    chosen = Selection(model_class="linear", ridge=1.0, num_answers=100, uses_source=True)
    assert is_fresh(chosen, RewardConfig(), 101, has_source=True)
    assert not is_fresh(chosen, RewardConfig(), 101, has_source=False)


@pytest.mark.parametrize("base", ["linear", "quadratic"])
def test_networks_start_at_the_solved_returns(base: str) -> None:
    data = make_truth("linear", 0, 60).data
    inputs = input_normaliser(data.features)(data.features)
    problem = make_problem(data, inputs, ("mlp",))
    network, training_set = start_networks(
        problem,
        ordinary(data, 0.1),
        np.ones((2, 60), np.float32),
        Selection(model_class="mlp", base=base, ridge=1.0),  # type: ignore[arg-type]
        FEW_EPOCHS,
        torch.Generator().manual_seed(0),
    )
    steps = problem.inputs.flatten(0, 1).expand(2, -1, -1)
    with torch.no_grad():
        returns = training_set.gain[:, None] * network(steps).view(2, len(inputs), -1).mean(dim=-1)
        network.weights[-1].zero_()
        solved = training_set.gain[:, None] * network(steps).view(2, len(inputs), -1).mean(dim=-1)
    torch.testing.assert_close(solved, training_set.linear_returns, atol=1e-3, rtol=1e-3)
    assert 0.15 < float((returns - solved).std(dim=1).mean()) < 0.6


def test_a_network_can_start_from_nothing() -> None:
    data = make_truth("linear", 0, 60).data
    problem = make_problem(data, input_normaliser(data.features)(data.features), ("mlp",))
    config = dataclasses.replace(FEW_EPOCHS, model_class="mlp", solved_start=False)
    selection = Selection(model_class="mlp", ridge=1.0)
    model, weights = ordinary(data, 0.1), np.ones((2, len(data)), np.float32)
    generator = torch.Generator().manual_seed(0)
    network, training_set = start_networks(problem, model, weights, selection, config, generator)
    assert not network.skip.any()
    assert not training_set.linear_returns.any()


def test_a_network_adds_to_the_class_that_foresees_more() -> None:
    mlp = dataclasses.replace(FEW_EPOCHS, model_class="mlp")
    assert run("linear", mlp)[0].base == "linear"
    assert run("pendulum", mlp)[0].base == "quadratic"


@pytest.mark.parametrize(("count", "most"), [(15, 1), (45, 4)])
def test_few_answers_rule_out_little(count: int, most: int) -> None:
    linear = dataclasses.replace(FEW_EPOCHS, model_class="linear")
    assert run("linear", linear, count)[0].passes <= most


def test_one_ridge_is_all_there_is_without_passes() -> None:
    without = dataclasses.replace(FEW_EPOCHS, model_class="linear", relevance_passes=0)
    assert run("linear", without)[0].passes == 0


def test_a_goal_about_few_features_is_learned_with_their_relevance() -> None:
    """Most of what a quadratic reward of the pendulum could look at does not matter."""
    quadratic = dataclasses.replace(FEW_EPOCHS, model_class="quadratic")
    assert run("pendulum", quadratic)[0].passes > 0
