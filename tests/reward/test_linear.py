import dataclasses

import numpy as np
import pytest
from synthetic_answers import Crowd, alignment, ask, rank, with_rankings

from rlhf.reward.answer_model import ordinary
from rlhf.reward.linear import directions, fit_linear
from rlhf.types.experience import Float64
from rlhf.types.feedback import PreferenceData


def solve(means: Float64, data: PreferenceData, ridge: float = 1.0, noise: float = 0.0) -> Float64:
    weights = np.ones((1, len(data)), np.float32)
    return fit_linear(means, data, ordinary(data, noise), weights, np.array([ridge]))[0, 0]


def test_many_answers_give_back_the_true_weights() -> None:
    asked = ask(Crowd(), 20_000, 0, width=3)
    np.testing.assert_allclose(solve(asked.means, asked.data), asked.truth, atol=0.1)


def test_solution_is_a_stationary_point() -> None:
    asked = ask(Crowd(), 200, 0)
    found = solve(asked.means, asked.data, ridge=2.0)
    # without noise the gradient is X^T (y - p) - ridge * w
    differences = asked.means[asked.data.first] - asked.means[asked.data.second]
    prob = 1.0 / (1.0 + np.exp(-differences @ found))
    np.testing.assert_allclose(differences.T @ (asked.data.prob_first - prob), 2.0 * found, atol=1e-2)


def test_separable_answers_stay_finite() -> None:
    asked = ask(Crowd(rationality=(1e6,)), 10, 0)
    assert np.abs(solve(asked.means, asked.data)).max() < 10.0


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_answers_of_no_weight_are_ignored(noise: float) -> None:
    asked = ask(Crowd(), 60, 0)
    data, model = asked.data, ordinary(asked.data, noise)
    weights = (np.arange(60) < 40).astype(np.float32)[None]
    part = dataclasses.replace(
        data,
        **{
            name: getattr(data, name)[:40]
            for name in ("first", "second", "prob_first", "annotator", "strength")
        },
    )
    whole = fit_linear(asked.means, data, model, weights, np.array([1.0]))[0, 0]
    np.testing.assert_allclose(whole, solve(asked.means, part, noise=noise), atol=1e-3)


def test_problems_solved_together_are_those_solved_alone() -> None:
    asked = ask(Crowd(tie_width=0.5), 50, 0)
    weights = np.random.default_rng(0).poisson(1.0, (3, 50)).astype(np.float32)
    ridges, model = np.array([0.3, 3.0]), ordinary(asked.data, 0.1)
    together = fit_linear(asked.means, asked.data, model, weights, ridges)
    alone = fit_linear(asked.means, asked.data, model, weights[1:2], ridges[1:])[0, 0]
    np.testing.assert_allclose(together[1, 1], alone, atol=1e-6)


def test_more_inputs_than_directions_still_fit() -> None:
    asked = ask(Crowd(), 40, 0, width=300)
    inputs = directions(asked.means, asked.data)
    assert inputs.values.shape[1] <= 40
    found = inputs.back @ solve(inputs.values, asked.data)
    np.testing.assert_allclose(
        found, solve(inputs.gain * asked.means, asked.data), atol=1e-3
    )  # nothing is lost by the rotation


def test_whole_rankings_teach_more_than_their_best_or_a_pair_of_each() -> None:
    whole, best, pair = [], [], []
    for seed in range(6):
        asked = rank(30, 4, seed)
        order = asked.data.rankings.order
        whole.append(alignment(solve(asked.means, asked.data), asked.truth))
        one = with_rankings(asked.data, order, asked.means, num_ranked=1)
        best.append(alignment(solve(asked.means, one), asked.truth))
        asked_about = order[order % 4 < 2].reshape(-1, 2)  # two of the four, in their order
        two = with_rankings(asked.data, asked_about, asked.means)
        pair.append(alignment(solve(asked.means, two), asked.truth))
    assert np.mean(whole) > np.mean(best) + 0.03
    assert np.mean(whole) > np.mean(pair) + 0.1
    assert np.mean(whole) > 0.85
