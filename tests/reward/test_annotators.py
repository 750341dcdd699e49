import dataclasses

import numpy as np
from synthetic_answers import Asked, Crowd, alignment, ask, rank

from rlhf.reward.annotators import HeldOutReturns, estimate, learn_annotators
from rlhf.reward.answer_model import AnswerModel, ordinary
from rlhf.reward.bootstrap import bootstrap_weights
from rlhf.reward.linear import directions, fit_linear
from rlhf.types.experience import Float64

MIXED = (4.0, 2.0, 1.0, 0.25, 0.02)


def known_returns(asked: Asked) -> HeldOutReturns:
    returns, data = asked.returns, asked.data
    return HeldOutReturns(
        differences=returns[data.first] - returns[data.second],
        ranked=returns[data.rankings.order],
        is_known=np.ones(len(data), np.bool_),
    )


def learned(asked: Asked) -> AnswerModel:
    weights = bootstrap_weights(asked.data, 8, np.random.default_rng(0))
    return learn_annotators(directions(asked.means, asked.data), asked.data, 0.1, 1.0, weights)[0]


def fitted(asked: Asked, model: AnswerModel) -> float:
    """Correlation with the truth of a reward fitted under a model of the annotators."""
    weights = np.ones((1, len(asked.data)), np.float32)
    found: Float64 = fit_linear(asked.means, asked.data, model, weights, np.array([1.0]))[0, 0]
    return alignment(found, asked.truth)


def test_planted_people_are_recovered() -> None:
    crowd = Crowd(rationality=(2.0, 1.0, 0.5), side_bias=(0.0, 1.0, -1.0))
    asked = ask(crowd, 3000, 0)
    found = estimate(known_returns(asked), asked.data, 0.0)
    # only ratios can be known, so the geometric mean is 1, as it is in the crowd
    np.testing.assert_allclose(found.rationality, crowd.rationality, rtol=0.25)
    np.testing.assert_allclose(found.side_bias, crowd.side_bias, atol=0.25)


def test_planted_widths_are_recovered() -> None:
    asked = ask(Crowd(tie_width=0.7, clear_width=2.0), 2000, 0)
    found = estimate(known_returns(asked), asked.data, 0.0)
    assert abs(found.tie_width - 0.7) < 0.1
    assert abs(found.clear_width - 2.0) < 0.2
    assert found.tie_share == asked.data.is_tie.mean()


def test_without_ties_there_is_no_width() -> None:
    asked = ask(Crowd(), 100, 0)
    assert estimate(known_returns(asked), asked.data, 0.1).tie_width == 0.0


def test_careful_rankers_are_recovered() -> None:
    asked = rank(400, 4, 0)
    shuffled = asked.data.rankings.order.copy()
    careless = np.arange(400) % 2 == 1
    shuffled[careless] = np.random.default_rng(1).permuted(shuffled[careless], axis=1)
    rankings = dataclasses.replace(asked.data.rankings, order=shuffled, annotator=careless.astype(np.int64))
    data = dataclasses.replace(asked.data, rankings=rankings)
    found = estimate(known_returns(dataclasses.replace(asked, data=data)), data, 0.0)
    assert found.rationality[0] > 3.0 * found.rationality[1]


def test_a_coin_is_found_out_without_knowing_the_reward() -> None:
    found = learned(ask(Crowd(rationality=MIXED, side_bias=(0.0,) * 5), 400, 0))
    assert found.rationality[0] > 2.0 * found.rationality[4]
    assert found.rationality.argmin() == 4


def test_mixed_people_teach_more_when_told_apart() -> None:
    crowd = Crowd(rationality=MIXED, side_bias=(0.0, 1.0, -1.0, 1.0, 0.0))
    apart, pooled = [], []
    for seed in range(8):
        asked = ask(crowd, 150, seed)
        apart.append(fitted(asked, learned(asked)))
        pooled.append(fitted(asked, ordinary(asked.data, 0.1)))
    assert np.mean(apart) > np.mean(pooled) + 0.02


def test_who_counts_little_has_little_say_in_the_width_of_ties() -> None:
    asked, loose = ask(Crowd(tie_width=0.5), 1000, 0), ask(Crowd(tie_width=3.0), 1000, 0)
    half = np.arange(1000) < 500
    both = dataclasses.replace(
        asked.data,
        prob_first=np.where(half, asked.data.prob_first, loose.data.prob_first),
        annotator=np.where(half, 0, 1),
        weight=np.where(half, 1.0, 1e-3).astype(np.float32),
    )
    known = known_returns(asked)
    assert abs(estimate(known, both, 0.0).tie_width - 0.5) < 0.15
    assert estimate(known, dataclasses.replace(both, weight=both.weight[:0]), 0.0).tie_width > 1.0


def test_one_clean_annotator_loses_nothing() -> None:
    learned_from, plain = [], []
    for seed in range(8):
        asked = ask(Crowd(rationality=(3.0,)), 100, seed)
        learned_from.append(fitted(asked, learned(asked)))
        plain.append(fitted(asked, ordinary(asked.data, 0.1)))
    assert np.mean(learned_from) > np.mean(plain) - 0.005


def test_ties_and_strength_teach_something() -> None:
    full, sides = [], []
    for seed in range(8):
        asked = ask(Crowd(tie_width=0.8, clear_width=2.5), 100, seed)
        full.append(fitted(asked, learned(asked)))
        is_decided = ~asked.data.is_tie
        names = ("first", "second", "prob_first", "annotator")
        kept = {name: getattr(asked.data, name)[is_decided] for name in names}
        data = dataclasses.replace(asked.data, **kept, strength=np.empty(0, np.int64))
        sides.append(fitted(dataclasses.replace(asked, data=data), ordinary(data, 0.1)))
    assert np.mean(full) > np.mean(sides) + 0.01
