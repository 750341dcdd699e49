import dataclasses

import numpy as np
import pytest
from synthetic_answers import Asked, Crowd, alignment, ask

from rlhf.reward.answer_model import ordinary
from rlhf.reward.linear import Directions, WeightPrior, directions
from rlhf.reward.relevance import relevance_path, relevant_directions, solve
from rlhf.types.experience import Float64

PASSES = 12


def solved(asked: Asked, passes: int, inputs: Directions | None = None, ridge: float = 1.0) -> Float64:
    return solve(
        asked.means,
        inputs or directions(asked.means, asked.data),
        asked.data,
        ordinary(asked.data, 0.1),
        np.ones((1, len(asked.data)), np.float32),
        ridge=ridge,
        passes=passes,
    )[0]


def test_what_matters_is_told_from_what_does_not() -> None:
    """Two inputs of thirty matter, and forty answers say so."""
    found = {0: [], PASSES: []}
    for seed in range(10):
        asked = ask(Crowd(rationality=(3.0,)), 40, seed, width=30, matter=2)
        for passes, alignments in found.items():
            alignments.append(alignment(solved(asked, passes), asked.truth))
    assert np.mean(found[PASSES]) > 0.97
    assert np.mean(found[0]) < 0.8
    assert np.all(np.array(found[PASSES]) > found[0])


def test_little_is_lost_where_everything_matters() -> None:
    lost = []
    for seed in range(10):
        asked = ask(Crowd(), 100, seed)
        lost.append(alignment(solved(asked, 0), asked.truth) - alignment(solved(asked, PASSES), asked.truth))
    assert np.mean(lost) < 0.03


def test_the_first_pass_is_the_ridge() -> None:
    asked = ask(Crowd(), 60, 0)
    np.testing.assert_allclose(solved(asked, 1, ridge=3.0), solved(asked, 0, ridge=3.0), atol=2e-3)


def test_what_no_answer_speaks_of_stays_as_free_as_it_was() -> None:
    asked = ask(Crowd(), 60, 0)
    asked.means[:, 0] = 1.0  # the same in all segments
    inputs = directions(asked.means, asked.data)
    weights, model = np.ones((1, 60), np.float32), ordinary(asked.data, 0.1)
    _, spreads = relevance_path(asked.means, inputs, asked.data, model, weights, 1.0, PASSES)
    assert spreads[0, 0] == pytest.approx(1.0)


def test_more_inputs_than_answers_are_solved_alike() -> None:
    """Every answer twice at half the weight says the same, by another matrix."""
    asked = ask(Crowd(), 20, 0, width=30)
    data, half = asked.data, np.full((1, 40), 0.5, np.float32)
    names = ("first", "second", "prob_first", "annotator", "strength")
    twice = dataclasses.replace(data, **{name: np.tile(getattr(data, name), 2) for name in names})
    inputs, model = directions(asked.means, data), ordinary(twice, 0.1)
    found = solve(asked.means, inputs, twice, model, half, ridge=1.0, passes=PASSES)[0]
    np.testing.assert_allclose(found, solved(asked, PASSES), atol=1e-6)


def test_weights_start_where_a_design_has_them() -> None:
    """The answers say nothing of the first two inputs; of those the design is kept."""
    asked = ask(Crowd(), 60, 0)
    asked.means[:, :2] = 1.0
    mean, sd = np.array([2.0, -1.0] + [0.0] * 6), np.array([0.5, 0.5] + [np.inf] * 6)
    prior = WeightPrior(mean=mean, sd=sd, largest=5.0)
    inputs = directions(asked.means, asked.data, prior, 100.0)
    found = solved(asked, PASSES, inputs, ridge=100.0) * inputs.gain
    np.testing.assert_allclose(found[:2], [2.0, -1.0], atol=1e-6)
    assert alignment(found[2:], asked.truth[2:]) > 0.8


def test_a_ridge_in_what_was_learned_gives_the_same_weights() -> None:
    """Influence of answers is read off this ridge."""
    asked = ask(Crowd(), 60, 0, matter=3)
    inputs, model = directions(asked.means, asked.data), ordinary(asked.data, 0.1)
    relevant = relevant_directions(asked.means, inputs, asked.data, model, 1.0, PASSES)
    again = solved(asked, 0, relevant) * relevant.gain
    np.testing.assert_allclose(again, solved(asked, PASSES + 1) * inputs.gain, atol=0.02)


def test_wrong_answers_and_certain_ones_stay_finite() -> None:
    for crowd in (Crowd(rationality=(1e6,)), Crowd(mistakes=0.5)):
        asked = ask(crowd, 10, 0, width=30)
        found = solved(asked, PASSES)
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 30.0
