import dataclasses

import numpy as np
from synthetic_truths import Problem, make_problem

from rlhf.reward.fit import RewardConfig, fit
from rlhf.reward.sources import Sources, compare_sources

COUNT = 120


def compared(problem: Problem, chosen: int, random: int) -> Sources | None:
    """Of a problem whose first answers are to chosen pairs and whose next ones are to random pairs."""
    config = RewardConfig(model_class="linear", num_members=2)
    model, _ = fit(problem.data, problem.reference, config, np.random.default_rng(0))
    indices = np.arange(chosen + random)
    return compare_sources(model, problem.data, indices[:chosen], indices[chosen:], np.random.default_rng(0))


def test_equal_pairs_teach_equally() -> None:
    found = compared(make_problem("linear", 0, COUNT), COUNT // 2, COUNT // 2)
    assert found is not None
    assert found.low <= 0.0 <= found.high
    assert found.num_answers == 48  # four fifths
    assert found.num_tested == COUNT // 2
    assert found.random > 0.7


def test_pairs_that_say_nothing_teach_less() -> None:
    problem = make_problem("linear", 0, COUNT)
    answers = problem.data.prob_first.copy()
    answers[: COUNT // 2] = np.random.default_rng(1).integers(0, 2, COUNT // 2)
    problem = dataclasses.replace(problem, data=dataclasses.replace(problem.data, prob_first=answers))
    found = compared(problem, COUNT // 2, COUNT // 2)
    assert found is not None
    assert found.high < 0.0


def test_too_few_answers_are_not_compared() -> None:
    problem = make_problem("linear", 0, COUNT)
    assert compared(problem, 100, 19) is None
    assert compared(problem, 19, 100) is None
