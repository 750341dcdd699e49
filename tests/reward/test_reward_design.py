"""A design orders behaviour by itself, saves answers where it is right, is overruled where it is wrong."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic_truths import Problem, make_problem

from rlhf.reward.answer_model import ordinary
from rlhf.reward.config import RewardConfig
from rlhf.reward.design import DesignedReward
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import FitReport, fit, fit_design
from rlhf.reward.linear import WeightPrior, directions, fit_linear, weight_errors
from rlhf.reward.normalise import input_normaliser
from rlhf.reward.shaping import Shaping
from rlhf.types.design import Design, Term
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData

LINEAR = RewardConfig(model_class="linear")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem("linear", 0, 200, mistakes=0.0)


def weights_of(problem: Problem) -> list[float]:
    """What the true reward gives the four observed numbers."""
    observed = problem.held_out[..., :4].reshape(-1, 4)
    # the reward is of where a step leads to, which is the observation and its change
    changes = problem.held_out[..., 4:8].reshape(-1, 4)
    inputs = np.column_stack([observed + changes, np.ones(len(observed))])
    return np.linalg.lstsq(inputs, problem.true_rewards.reshape(-1), rcond=None)[0][:4].tolist()


def designed(problem: Problem, weights: list[float], sure: float = 0.7, number: int = 1) -> DesignedReward:
    return DesignedReward(
        number=number,
        design=Design(terms=tuple(Term(feature=f"x{i}", weight=w, sure=sure) for i, w in enumerate(weights))),
        columns=np.arange(len(weights)),
        segments=problem.held_out[:100],
    )


def first(problem: Problem, count: int) -> PreferenceData:
    names = ("first", "second", "prob_first", "annotator", "strength")
    return dataclasses.replace(problem.data, **{name: getattr(problem.data, name)[:count] for name in names})


def learned(
    problem: Problem, count: int, start: DesignedReward | None, config: RewardConfig = LINEAR
) -> tuple[RewardModel, FitReport]:
    rng = np.random.default_rng(0)
    if count == 0:
        assert start is not None
        return fit_design(start, steps(problem.held_out), config, rng)
    return fit(first(problem, count), steps(problem.held_out[:100]), config, rng, designed=start)


def right(model: RewardModel, problem: Problem) -> float:
    """Share of held-out pairs ordered as the true reward orders them."""
    returns, true = model.member_returns(problem.held_out).mean(axis=0), problem.true_rewards.sum(axis=1)
    half = len(true) // 2
    return float(((returns[:half] > returns[half:]) == (true[:half] > true[half:])).mean())


def steps(features: Float32) -> Float32:
    return features.reshape(-1, features.shape[-1])


def test_a_design_alone_orders_behaviour(problem: Problem) -> None:
    model, report = learned(problem, 0, designed(problem, weights_of(problem)))
    assert right(model, problem) > 0.95
    assert report.uses_design
    assert [term.learned for term in report.terms] == [term.weight for term in report.terms]


def test_the_members_of_a_design_differ_by_its_doubt(problem: Problem) -> None:
    weights = weights_of(problem)
    doubts = []
    for sure in (0.95, 0.5):
        model, _ = learned(problem, 0, designed(problem, weights, sure))
        skip = model.network.linear
        np.testing.assert_allclose(
            skip.mean(axis=0)[:4] / skip.mean(axis=0)[0], np.array(weights) / weights[0], rtol=1e-4
        )
        doubts.append(float(skip[:, :4].std(axis=0).mean()))
    assert doubts[1] > 3.0 * doubts[0]
    assert not skip[:, 4:].any()  # what was not designed is worth nothing yet


def test_a_right_design_needs_fewer_answers(problem: Problem) -> None:
    start = designed(problem, weights_of(problem))
    helped, alone = (right(learned(problem, 5, one)[0], problem) for one in (start, None))
    many = right(learned(problem, 30, None)[0], problem)
    assert helped > alone + 0.1
    assert helped > many - 0.02


def test_a_wrong_design_is_overruled(problem: Problem) -> None:
    wrong = designed(problem, [-weight for weight in weights_of(problem)])
    trusted, _ = learned(problem, 0, wrong)
    model, report = learned(problem, 40, wrong)
    assert right(trusted, problem) < 0.05
    assert right(model, problem) > right(learned(problem, 40, None)[0], problem) - 0.02
    assert all(term.learned * term.weight < 0 for term in report.terms if abs(term.weight) > 0.5)


def test_a_wrong_design_that_is_sure_of_itself_is_dropped_but_for_its_names(problem: Problem) -> None:
    wrong = designed(problem, [-weight for weight in weights_of(problem)], sure=0.95)
    model, report = learned(problem, 40, wrong)
    assert not report.uses_design
    assert model.selection.start == "named"
    assert right(model, problem) > right(learned(problem, 40, None)[0], problem) - 0.02


def test_without_answers_about_a_term_its_weight_is_the_design(problem: Problem) -> None:
    data = first(problem, 30)
    same = data.features.copy()
    same[..., 0] = np.linspace(-1.0, 1.0, same.shape[1])  # the same in all compared segments
    data = dataclasses.replace(data, features=same)
    start = designed(problem, weights_of(problem))
    _, report = fit(data, steps(problem.held_out), LINEAR, np.random.default_rng(0), designed=start)
    assert report.uses_design
    untouched, *touched = report.terms
    scale = untouched.learned / untouched.weight  # all weights are beside the others
    assert untouched.learned_sd == pytest.approx(scale * untouched.sd, rel=1e-3)
    assert all(term.learned_sd < 0.9 * scale * term.sd for term in touched)


@pytest.mark.parametrize("name", ["linear", "quadratic", "mlp"])
def test_every_class_starts_from_the_design(problem: Problem, name: str) -> None:
    config = RewardConfig(model_class=name, max_epochs=3)  # type: ignore[arg-type]
    model, report = learned(problem, 5, designed(problem, weights_of(problem), sure=0.9), config)
    assert report.model_class == name
    assert report.uses_design
    assert right(model, problem) > 0.9


def test_another_design_makes_the_choice_anew(problem: Problem) -> None:
    weights = weights_of(problem)
    model, _ = learned(problem, 40, designed(problem, weights))
    data, reference = first(problem, 40), steps(problem.held_out)
    again = [
        fit(
            data,
            reference,
            LINEAR,
            np.random.default_rng(0),
            model,
            designed=designed(problem, weights, number=n),
        )
        for n in (1, 2)
    ]
    assert [bool(report.candidates) for _, report in again] == [False, True]
    assert [report.design for _, report in again] == [1, 2]


def test_a_prior_moves_as_bayes_says() -> None:
    """One feature, one answer: the solution is where prior and likelihood balance."""
    features = np.array([[[1.0]], [[-1.0]]], np.float32)
    one = np.array([0])
    data = PreferenceData(
        features=features, first=one, second=one + 1, prob_first=np.array([0.0], np.float32), annotator=one
    )
    prior = WeightPrior(mean=np.array([1.5]), sd=np.array([0.5]), largest=1.5)
    model, ridge = ordinary(data, 0.0), 7.0
    inputs = directions(features[:, 0].astype(np.float64), data, prior, ridge)
    solved = fit_linear(
        inputs.values, data, model, np.ones((1, 1), np.float32), np.array([ridge]), offset=inputs.started
    )[0, 0]
    weight = inputs.gain * float(inputs.weights(solved)[0])
    chance = 1.0 / (1.0 + np.exp(-2.0 * weight))  # of the first, by a lead of twice the weight
    assert (weight - 1.5) / 0.25 == pytest.approx(-2.0 * chance, abs=1e-3)
    error = weight_errors(inputs, data, model, ridge, solved)
    assert error[0] == pytest.approx((4.0 + 4.0 * chance * (1.0 - chance)) ** -0.5, rel=1e-3)


def test_a_designed_feature_that_did_not_vary_in_compared_segments_counts(problem: Problem) -> None:
    start = designed(problem, [1.0])
    data = first(problem, 20)
    still = data.features.copy()
    still[..., 0] = 3.0
    data = dataclasses.replace(data, features=still)
    model, _ = fit(data, steps(problem.held_out), LINEAR, np.random.default_rng(0), designed=start)
    assert np.isinf(input_normaliser(still).sd[0])
    assert model.input_normaliser.sd[0] < 10.0
    assert (model.network.linear[:, 0] > 0).all()


def test_a_model_with_a_design_comes_back_from_the_store(problem: Problem) -> None:
    start = designed(problem, weights_of(problem))
    shaping = Shaping(column=2, slope=0.5, origin=1.0, is_nearness=True)
    for count in (0, 12):
        model, _ = learned(problem, count, dataclasses.replace(start, shaping=shaping))
        again = RewardModel.from_arrays(dict(model.to_arrays()))
        assert (again.selection, again.shaping) == (model.selection, shaping)
        np.testing.assert_array_equal(
            again.member_returns(problem.held_out), model.member_returns(problem.held_out)
        )
