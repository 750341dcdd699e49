import dataclasses
import itertools
import math

import numpy as np
import pytest
from synthetic_answers import Crowd, ask

from rlhf.reward.answer_model import (
    AnswerModel,
    answer_terms,
    comparison_terms,
    intervals,
    ordinary,
    ranking_terms,
    rows,
)
from rlhf.types.feedback import PreferenceData, Rankings, Strength


def model(**changes: object) -> AnswerModel:
    parts: dict[str, object] = {
        "noise": 0.1,
        "rationality": np.array([1.0, 0.5]),
        "side_bias": np.array([0.0, 0.7]),
        "tie_width": 0.6,
        "clear_width": 1.8,
        "tie_share": 0.2,
    }
    return AnswerModel(**(parts | changes))  # type: ignore[arg-type]


def one_answer(prob_first: float, strength: int = 0, annotator: int = 0) -> PreferenceData:
    return PreferenceData(
        features=np.zeros((2, 1, 1), np.float32),
        first=np.array([0]),
        second=np.array([1]),
        prob_first=np.array([prob_first], np.float32),
        annotator=np.array([annotator]),
        strength=np.array([strength]),
    )


def prob(difference: float, answer: PreferenceData, given: AnswerModel) -> float:
    terms = comparison_terms(np.array([difference]), intervals(answer, given))
    return float(np.exp(terms.log_prob[0]))


def rankings(order: list[int], num_ranked: int) -> Rankings:
    return Rankings(
        order=np.array([order]), num_ranked=np.array([num_ranked]), annotator=np.zeros(1, np.int64)
    )


def test_without_ties_it_is_bradley_terry_with_mistakes() -> None:
    # .9 * sigmoid(2) + .05 = .9 * .880797 + .05 = .842717
    plain = model(tie_width=0.0, tie_share=0.0)
    assert prob(2.0, one_answer(1.0), plain) == pytest.approx(0.842717, abs=1e-6)
    assert plain.prob_first(np.array(2.0)) == pytest.approx(0.842717, abs=1e-6)


def test_ties_are_those_of_rao_and_kupper() -> None:
    # with worths a = e^R1 = 3, b = e^R2 = 1, theta = e^width = 2: a / (a + theta b) = 3 / 5,
    # b / (b + theta a) = 1 / 7, and (theta^2 - 1) a b / ((a + theta b) (b + theta a)) = 9 / 35 for a tie
    given = model(noise=0.0, tie_width=math.log(2.0))
    probs = [prob(math.log(3.0), one_answer(answer), given) for answer in (1.0, 0.0, 0.5)]
    assert probs == pytest.approx([3 / 5, 1 / 7, 9 / 35])


@pytest.mark.parametrize("annotator", [0, 1])
@pytest.mark.parametrize("difference", [-8.0, -0.3, 0.0, 2.0])
def test_probabilities_of_all_answers_add_to_one(difference: float, annotator: int) -> None:
    sides, tie = (1.0, 0.0), one_answer(0.5, 0, annotator)
    plain = [prob(difference, one_answer(s, 0, annotator), model()) for s in sides]
    said = [
        prob(difference, one_answer(s, strength, annotator), model())
        for s in sides
        for strength in (Strength.SLIGHT, Strength.CLEAR)
    ]
    assert sum(plain) + prob(difference, tie, model()) == pytest.approx(1.0)
    assert sum(said) + prob(difference, tie, model()) == pytest.approx(1.0)


def test_a_larger_lead_is_more_often_clear() -> None:
    clear = [prob(d, one_answer(1.0, Strength.CLEAR), model()) for d in (0.0, 1.0, 3.0)]
    assert clear == sorted(clear)


def test_side_and_rationality_are_the_annotators_own() -> None:
    # annotator 1: sigmoid(.5 * 2 + .7) = sigmoid(1.7) = .845535, and .9 * .845535 + .05 = .810981
    given = model(tie_width=0.0, tie_share=0.0)
    assert prob(2.0, one_answer(1.0, 0, 1), given) == pytest.approx(0.810981, abs=1e-6)


def test_ranking_is_plackett_luce() -> None:
    # worths 3, 2, 1 in this order: 3/6 * 2/3
    returns = np.log([[3.0, 2.0, 1.0]])
    terms = ranking_terms(returns, rankings([0, 1, 2], 2), model(noise=0.0))
    assert np.exp(terms.log_prob[0]) == pytest.approx(1 / 3)
    best_only = ranking_terms(returns, rankings([0, 1, 2], 1), model(noise=0.0))
    assert np.exp(best_only.log_prob[0]) == pytest.approx(1 / 2)


def test_probabilities_of_all_orders_add_to_one() -> None:
    returns = np.array([0.3, -1.0, 2.0])
    total = 0.0
    for order in itertools.permutations(range(3)):
        terms = ranking_terms(returns[list(order)][None], rankings(list(order), 2), model())
        total += float(np.exp(terms.log_prob[0]))
    assert total == pytest.approx(1.0)


def test_a_ranking_of_two_is_a_comparison_without_ties() -> None:
    returns = np.array([1.0, -0.5])
    ranked = ranking_terms(returns[None], rankings([0, 1], 1), model())
    assert np.exp(ranked.log_prob[0]) == pytest.approx(
        prob(1.5, one_answer(1.0), model(tie_width=0.0, tie_share=0.0))
    )


def mixed_answers() -> PreferenceData:
    crowd = Crowd(rationality=(1.0, 1.0), side_bias=(0.0, 0.0), tie_width=0.6, clear_width=1.8)
    ranked = Rankings(
        order=np.array([[0, 1, 2, 3], [4, 5, 6, -1], [3, 4, 7, 1], [1, 2, -1, -1]]),
        num_ranked=np.array([3, 1, 2, 1]),
        annotator=np.array([0, 1, 0, 1]),
    )
    return dataclasses.replace(ask(crowd, 20, 0).data, rankings=ranked)


def test_scores_are_the_derivatives_of_the_likelihood() -> None:
    data, step = mixed_answers(), 1e-5
    returns = np.random.default_rng(1).normal(0.0, 2.0, len(data.features))
    first, second, _ = rows(data)
    score = answer_terms(returns, data, model()).score
    analytic = np.bincount(first, score, 40) - np.bincount(second, score, 40)
    shifts = step * np.eye(40)
    likelihoods = answer_terms(np.stack([returns + shifts, returns - shifts]), data, model()).log_prob
    numeric = (likelihoods[0] - likelihoods[1]).sum(axis=-1) / (2.0 * step)
    np.testing.assert_allclose(analytic, numeric, atol=1e-7)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_terms_are_finite_and_never_bend_the_wrong_way(scale: float) -> None:
    data = mixed_answers()
    returns = scale * np.random.default_rng(1).normal(size=len(data.features))
    terms = answer_terms(returns, data, model())
    assert np.isfinite(terms.log_prob).all()
    assert np.isfinite(terms.score).all()
    assert (terms.information >= 0.0).all()


def test_half_of_a_tie_counts_for_each_side() -> None:
    differences = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(model().prob_first(differences) + model().prob_first(-differences), 1.0)


def test_model_survives_being_written_down() -> None:
    again = AnswerModel.from_dict(model().to_dict())
    np.testing.assert_array_equal(again.rationality, model().rationality)
    assert again.to_dict() == model().to_dict()


def test_ordinary_people_give_ties_a_chance_only_if_there_are_some() -> None:
    data = ask(Crowd(), 12, 0).data
    assert ordinary(data, 0.1).tie_width == 0.0
    ties = dataclasses.replace(data, prob_first=np.full(12, 0.5, np.float32))
    assert np.isfinite(answer_terms(np.zeros(24), ties, ordinary(ties, 0.0)).log_prob).all()


@pytest.mark.parametrize(
    "changes", [{"noise": 1.0}, {"noise": -0.1}, {"tie_width": 2.0}, {"tie_width": -1.0}]
)
def test_values_outside_their_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        model(**changes)
