import dataclasses
import math

import numpy as np
import pytest
import torch
from synthetic_truths import Problem, make_problem, rank_correlation

from rlhf.errors import FeedbackError, ShapeError
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import FitReport, RewardConfig, accuracy, fit
from rlhf.types.feedback import PreferenceData, Rankings

SMALL = RewardConfig(max_epochs=5, hidden=(16,), model_class="mlp", weight_decays=(0.1,))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def run(problem: Problem, config: RewardConfig = SMALL, seed: int = 0) -> tuple[RewardModel, FitReport]:
    return fit(problem.data, problem.reference, config, np.random.default_rng(seed))


def correlations(problem: Problem, config: RewardConfig | None = None) -> tuple[float, float]:
    """Rank correlation with the truth over held-out transitions and over held-out segments."""
    model, _ = run(problem, config or RewardConfig())
    reward, _ = model.rewards(problem.held_out.reshape(-1, model.num_features))
    returns = model.member_returns(problem.held_out).mean(axis=0)
    return (
        rank_correlation(reward, problem.true_rewards),
        rank_correlation(returns, problem.true_rewards.sum(axis=1)),
    )


@pytest.mark.parametrize("truth", ["linear", "pendulum"])
def test_a_hundred_noisy_answers_teach_the_reward(truth: str) -> None:
    over_seeds = np.array([correlations(make_problem(truth, seed, 100)) for seed in range(2)])  # type: ignore[arg-type]
    steps, segments = over_seeds.mean(axis=0)
    assert segments >= 0.85
    assert steps >= 0.8


def test_quadratic_learns_a_quadratic_truth() -> None:
    _, segments = correlations(make_problem("pendulum", 0, 100), RewardConfig(model_class="quadratic"))
    assert segments >= 0.85


def test_linear_learns_a_linear_truth() -> None:
    _, segments = correlations(make_problem("linear", 0, 100), RewardConfig(model_class="linear"))
    assert segments >= 0.95


def test_answers_that_count_little_teach_little() -> None:
    problem = make_problem("linear", 0, 200)
    is_liar = np.arange(200) < 120
    answers = np.where(is_liar, 1.0 - problem.data.prob_first, problem.data.prob_first)
    lied_to = dataclasses.replace(problem.data, prob_first=answers.astype(np.float32))
    weight = np.where(is_liar, 0.01, 1.0).astype(np.float32)
    warned = dataclasses.replace(lied_to, weight=weight)
    config = RewardConfig()
    _, misled = correlations(dataclasses.replace(problem, data=lied_to), config)
    _, learned = correlations(dataclasses.replace(problem, data=warned), config)
    assert misled < 0.0
    assert learned >= 0.9


def test_random_answers_teach_nothing() -> None:
    signed = [correlations(make_problem("linear", seed, 100, labels="random"))[0] for seed in range(2)]
    assert abs(np.mean(signed)) < 0.3


def test_flipped_answers_teach_the_opposite() -> None:
    steps, segments = correlations(make_problem("linear", 0, 100, labels="flipped"))
    assert steps < -0.8
    assert segments < -0.85


def test_out_of_bag_tells_true_from_random_answers() -> None:
    _, true = run(make_problem("linear", 1, 100, mistakes=0.0), RewardConfig())
    _, random = run(make_problem("linear", 1, 100, labels="random"), RewardConfig())
    assert true.out_of_bag_accuracy > 0.75 > random.out_of_bag_accuracy
    assert true.out_of_bag_nll < 0.5 < random.out_of_bag_nll


@pytest.mark.parametrize("model_class", ["linear", "quadratic", "mlp"])
def test_equal_generators_give_equal_models(model_class: str) -> None:
    problem = make_problem("pendulum", 0, 20)
    config = dataclasses.replace(SMALL, model_class=model_class)
    one, other, different = (run(problem, config, seed)[0].to_arrays() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(one["network.skip"], different["network.skip"])


def test_members_that_all_learn_from_all_answers_differ_less_and_leave_none_to_test_on() -> None:
    problem = make_problem("pendulum", 0, 60)
    spreads, reports = [], []
    for bootstrap in (True, False):
        model, report = run(problem, dataclasses.replace(SMALL, bootstrap=bootstrap))
        spreads.append(float(model.member_returns(problem.held_out).std(axis=0).mean()))
        reports.append(report)
    assert 0 < spreads[1] < spreads[0]
    assert not math.isnan(reports[0].out_of_bag_accuracy)
    assert math.isnan(reports[1].out_of_bag_accuracy)


def test_no_global_random_state_is_touched() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    run(make_problem("linear", 0, 20))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


@pytest.mark.parametrize("model_class", ["linear", "quadratic", "mlp"])
@pytest.mark.parametrize("count", [1, 3])
def test_very_few_answers_are_enough_to_fit(count: int, model_class: str) -> None:
    model, report = run(make_problem("linear", 0, count, mistakes=0.0), RewardConfig(model_class=model_class))
    assert report.train_accuracy == 1.0
    assert math.isnan(report.out_of_bag_accuracy)
    assert np.isfinite(model.member_returns(np.zeros((1, 50, model.num_features), np.float32))).all()


def test_only_ties_fit_and_have_no_accuracy() -> None:
    problem = make_problem("linear", 0, 15)
    ties = dataclasses.replace(problem.data, prob_first=np.full(15, 0.5, np.float32))
    _, report = run(dataclasses.replace(problem, data=ties))
    assert math.isnan(report.train_accuracy)
    assert np.isfinite(report.out_of_bag_nll)


def test_versions_count_up() -> None:
    problem = make_problem("linear", 0, 12)
    first, _ = run(problem)
    second, _ = fit(problem.data, problem.reference, SMALL, np.random.default_rng(1), first)
    assert (first.version, second.version) == (1, 2)


def test_a_class_is_kept_until_the_answers_have_outgrown_it() -> None:
    problem = make_problem("linear", 0, 40)
    first, chosen = run(problem, RewardConfig(max_epochs=5))
    again, kept = fit(problem.data, problem.reference, RewardConfig(), np.random.default_rng(1), first)
    assert len(chosen.candidates) == 3
    assert kept.candidates == ()
    assert again.selection == first.selection
    assert "chosen at 40 answers" in kept.reason


def test_a_class_that_is_no_longer_wanted_is_chosen_anew() -> None:
    problem = make_problem("linear", 0, 40)
    first, _ = run(problem)
    config = RewardConfig(model_class="quadratic")
    second, _ = fit(problem.data, problem.reference, config, np.random.default_rng(1), first)
    assert (first.selection.model_class, second.selection.model_class) == ("mlp", "quadratic")


def test_the_report_says_why() -> None:
    _, auto = run(make_problem("linear", 0, 60), RewardConfig(max_epochs=5))
    _, asked = run(make_problem("linear", 0, 20))
    _, few = run(make_problem("linear", 0, 5), RewardConfig())
    assert auto.model_class in auto.reason
    assert "settings" in asked.reason
    assert "too few" in few.reason
    assert asked.out_of_bag_nll > 0.0


def test_the_report_names_careless_annotators() -> None:
    problem = make_problem("linear", 0, 200, mistakes=0.0)
    annotator = np.arange(200, dtype=np.int64) % 2
    answers = problem.data.prob_first.copy()
    answers[1::2] = np.random.default_rng(0).integers(0, 2, 100)
    data = dataclasses.replace(problem.data, annotator=annotator, prob_first=answers)
    _, report = run(dataclasses.replace(problem, data=data), RewardConfig(model_class="linear"))
    careful, careless = report.annotators
    assert (careful.num_answers, careless.num_answers) == (100, 100)
    assert careful.rationality > 1.0 > careless.rationality
    assert careful.accuracy > 0.75 > careless.accuracy


@pytest.mark.parametrize("model_class", ["linear", "quadratic", "mlp"])
def test_rankings_alone_teach_the_reward(model_class: str) -> None:
    problem = make_problem("linear", 0, 100, mistakes=0.0)
    returns = problem.true_rewards.sum(axis=1)[:200].reshape(50, 4)
    order = np.argsort(-returns, axis=1) + 4 * np.arange(50)[:, None]
    none = np.empty(0, np.int64)
    rankings = Rankings(order=order, num_ranked=np.full(50, 3, np.int64), annotator=np.zeros(50, np.int64))
    data = PreferenceData(
        features=problem.held_out[:200],
        first=none,
        second=none,
        prob_first=none.astype(np.float32),
        annotator=none,
        rankings=rankings,
    )
    config = RewardConfig(model_class=model_class, max_epochs=5)  # type: ignore[arg-type]
    model, report = fit(data, problem.reference, config, np.random.default_rng(0))
    unseen = model.member_returns(problem.held_out[200:]).mean(axis=0)
    assert rank_correlation(unseen, problem.true_rewards.sum(axis=1)[200:]) > 0.9
    assert math.isnan(report.train_accuracy)


def test_no_answers_are_refused() -> None:
    problem = make_problem("linear", 0, 12)
    none = dataclasses.replace(
        problem.data,
        first=np.empty(0, np.int64),
        second=np.empty(0, np.int64),
        prob_first=np.empty(0, np.float32),
        annotator=np.empty(0, np.int64),
        strength=np.empty(0, np.int64),
    )
    with pytest.raises(FeedbackError, match="at least one"):
        run(dataclasses.replace(problem, data=none))


def test_features_that_are_not_finite_are_refused() -> None:
    problem = make_problem("linear", 0, 12)
    reference = problem.reference.copy()
    reference[3, 2] = np.nan
    with pytest.raises(ShapeError, match="reference_features"):
        fit(problem.data, reference, SMALL, np.random.default_rng(0))


def test_accuracy_leaves_ties_out() -> None:
    probs = np.array([0.9, 0.2, 0.7, 0.9], np.float32)
    assert accuracy(probs, np.array([1.0, 0.0, 0.0, 0.5], np.float32)) == pytest.approx(2 / 3)


def test_a_prediction_of_one_half_counts_half() -> None:
    assert accuracy(np.array([0.5, 0.9], np.float32), np.array([0.0, 1.0], np.float32)) == 0.75


@pytest.mark.parametrize("model_class", ["mlp", "linear"])
def test_a_flag_that_never_occurred_is_worth_nothing(model_class: str) -> None:
    problem = make_problem("linear", 0, 20)
    features, rows = (
        np.concatenate([x, np.zeros((*x.shape[:-1], 1), np.float32)], axis=-1)
        for x in (problem.data.features, problem.reference)
    )
    data = dataclasses.replace(problem.data, features=features)
    config = dataclasses.replace(SMALL, model_class=model_class)  # type: ignore[arg-type]
    model, _ = fit(data, rows, config, np.random.default_rng(0))
    raised = rows.copy()
    raised[:, -1] = 1.0
    np.testing.assert_array_equal(model.rewards(raised)[0], model.rewards(rows)[0])
    again = RewardModel.from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.rewards(raised)[0], model.rewards(rows)[0])
