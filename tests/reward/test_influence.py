import dataclasses

import numpy as np
import pytest
from synthetic_answers import Asked, Crowd, ask, rank
from synthetic_truths import make_problem

from rlhf.reward.answer_model import AnswerModel, ordinary
from rlhf.reward.fit import RewardConfig, fit
from rlhf.reward.influence import Influences, disagreement, influences
from rlhf.reward.linear import Directions, fit_linear
from rlhf.types.experience import Float64
from rlhf.types.feedback import PreferenceData

RIDGE = 3.0


def of(asked: Asked, model: AnswerModel | None = None) -> Influences:
    segments, width = asked.means.shape
    inputs = Directions(
        values=asked.means,
        back=np.eye(width),
        gain=1.0,
        start=np.zeros(width),
        started=np.zeros(segments),
        scale=np.ones(width),
    )
    return influences(inputs, asked.data, model or ordinary(asked.data, 0.1), RIDGE)


def refitted(asked: Asked) -> tuple[Float64, Float64]:
    """What ``influences`` estimates, from one fit without each answer."""
    data, model, count = asked.data, ordinary(asked.data, 0.1), len(asked.data)
    weights = np.concatenate([np.ones((1, count)), 1.0 - np.eye(count)]).astype(np.float32)
    solved = fit_linear(asked.means, data, model, weights, np.array([RIDGE]))[:, 0]
    differences = asked.means[data.first] - asked.means[data.second]
    leads = solved @ differences.T  # (1 + count, count)
    moved = np.sqrt(((leads[1:] - leads[0]) ** 2).mean(axis=1))
    return np.diagonal(leads[1:]), moved / np.sqrt((leads[0] ** 2).mean())


def test_leaving_an_answer_out_is_foretold() -> None:
    asked = ask(Crowd(tie_width=0.5, mistakes=0.1), 60, 0)
    found, (unseen, influence) = of(asked), refitted(asked)
    np.testing.assert_allclose(found.unseen, unseen, atol=0.25)
    assert np.corrcoef(found.unseen, unseen)[0, 1] > 0.99
    assert np.corrcoef(found.influence, influence)[0, 1] > 0.95


def test_an_answer_that_counts_little_moves_little() -> None:
    asked = ask(Crowd(), 40, 0)
    weight = np.ones(40, np.float32)
    weight[7] = 0.01
    light = dataclasses.replace(asked, data=dataclasses.replace(asked.data, weight=weight))
    assert of(light).influence[7] < 0.05 * of(asked).influence[7]


def test_rankings_take_part_but_are_not_left_out() -> None:
    assert len(of(rank(10, 4, 0)).influence) == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(1.0, [0.0, 1.0, 2.5]), (0.0, [2.5, 1.0, 0.0]), (0.5, [1.5, 0.0, 1.5])],
)
def test_disagreement_is_how_far_the_lead_is_from_what_was_said(answer: float, expected: list[float]) -> None:
    # ties are leads within 0.5; the leads are 2, -0.5 and -2
    data = PreferenceData(
        features=np.zeros((2, 1, 1), np.float32),
        first=np.zeros(3, np.int64),
        second=np.ones(3, np.int64),
        prob_first=np.full(3, answer, np.float32),
        annotator=np.zeros(3, np.int64),
    )
    model = AnswerModel(noise=0.1, rationality=np.ones(1), side_bias=np.zeros(1), tie_width=0.5)
    differences = np.array([2.0, -0.5, -2.0]) if answer != 0.0 else np.array([2.0, 0.5, -2.0])
    np.testing.assert_allclose(disagreement(differences, data, model), expected)


def rank_of_a_wrong_answer(truth: str, seed: int) -> int:
    """Place, from 0, of the one wrong answer among fifty."""
    problem = make_problem(truth, seed, 50, mistakes=0.0)  # type: ignore[arg-type]
    planted = int(np.random.default_rng(seed).integers(50))
    said = problem.data.prob_first.copy()
    said[planted] = 1.0 - said[planted]
    data = dataclasses.replace(problem.data, prob_first=said)
    _, report = fit(data, problem.reference, RewardConfig(max_epochs=3), np.random.default_rng(seed))
    return int((report.comparisons.against > report.comparisons.against[planted]).sum())


@pytest.mark.parametrize("truth", ["linear", "pendulum"])
def test_one_wrong_answer_in_fifty_is_among_the_five_most_disputed(truth: str) -> None:
    places = [rank_of_a_wrong_answer(truth, seed) for seed in range(4)]
    assert np.mean(np.array(places) < 5) >= 0.75, places
