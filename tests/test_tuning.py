import math

import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.tuning import Score, TransferTuner, preferred, scores_of
from rlhf.types.experience import Float64


def score(excess: float, error: float) -> Score:
    return Score(loss=0.3 + excess, standard_error=0.0, excess=excess, excess_error=error)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0.04, 0.01), (0.05, 0.10), 0),  # the second is in its margin, but the first is better
        ((0.06, 0.01), (0.05, 0.10), 1),
        ((0.06, 0.01), (0.05, 0.01), 2),
        ((0.01, 0.02), (0.05, 0.10), 0),
    ],
)
def test_a_wide_margin_does_not_pass_over_an_earlier_and_better_setting(
    first: tuple[float, float], second: tuple[float, float], expected: int
) -> None:
    assert preferred([score(*first), score(*second), score(0.0, 0.0)], 1.0) == expected


def test_without_a_margin_the_best_is_taken() -> None:
    assert preferred([score(0.001, 1.0), score(0.0, 0.0)], 0.0) == 1


def test_equal_settings_give_the_first() -> None:
    assert preferred([score(0.0, 0.0), score(0.0, 0.0)], 0.0) == 0


def test_excess_is_taken_unit_by_unit() -> None:
    losses = np.array([[1.0, 5.0, 9.0], [1.1, 5.1, 9.1]])
    scores = scores_of(losses)
    assert scores[1].excess == pytest.approx(0.1)
    assert scores[1].excess_error == pytest.approx(0.0, abs=1e-12)
    assert scores[1].standard_error == pytest.approx(4.0 / math.sqrt(3))


def test_each_setting_is_judged_at_its_own_best_pass() -> None:
    slow = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.2]])
    quick = np.array([[1.5, 1.5], [4.0, 4.0]])  # learns by heart at once
    tuned = TransferTuner(choices=("quick", "slow"), margin=0.0).by_held_out([quick, slow])
    assert (tuned.choice, tuned.epochs) == ("slow", 2)
    np.testing.assert_allclose(tuned.losses, [[1.5, 1.5], [1.0, 1.2]])


def test_a_source_that_is_better_by_chance_only_is_ignored() -> None:
    rng = np.random.default_rng(0)
    ignored: Float64 = rng.normal(1.0, 0.1, (1, 50))
    used = ignored + rng.normal(-0.02, 0.2, (1, 50))
    tuner = TransferTuner(choices=(False, True), margin=1.0)
    assert used.mean() < ignored.mean()
    assert not tuner.by_held_out([ignored, used]).choice
    assert tuner.by_held_out([ignored, ignored - 0.3]).choice


@pytest.mark.parametrize("losses", [[], [np.zeros((1, 3))], [np.zeros((1, 0)), np.zeros((1, 0))]])
def test_losses_that_do_not_fit_are_refused(losses: list[Float64]) -> None:
    with pytest.raises(ShapeError, match="setting"):
        TransferTuner(choices=("a", "b")).by_held_out(losses)


def race(quality: dict[str, float], **options: float) -> tuple[str, list[tuple[str, int, int]]]:
    asked: list[tuple[str, int, int]] = []

    def loss(choice: str, seed: int, budget: int) -> float:
        asked.append((choice, seed, budget))
        return quality[choice] + 0.01 * seed

    tuned = TransferTuner(choices=tuple(quality), **options).by_race(loss, [1, 2], (1, 3, 10))
    return tuned.choice, asked


def test_a_race_gives_up_the_worse_half_and_keeps_the_first() -> None:
    chosen, asked = race({"scratch": 9.0, "a": 1.0, "b": 2.0, "c": 3.0})
    assert chosen == "a"
    at = {budget: list(dict.fromkeys(one for one, _, b in asked if b == budget)) for budget in (1, 3, 10)}
    assert at == {1: ["scratch", "a", "b", "c"], 3: ["scratch", "a", "b"], 10: ["scratch", "a", "b"]}


def test_a_race_compares_seed_by_seed() -> None:
    _, asked = race({"scratch": 1.0, "a": 1.0})
    assert {seed for one, seed, _ in asked if one == "a"} == {1, 2}


def test_a_source_that_harms_loses_the_race_to_scratch() -> None:
    assert race({"scratch": 1.0, "a": 1.5, "b": 2.0})[0] == "scratch"


def test_settings_that_were_given_up_have_no_score() -> None:
    tuned = TransferTuner(choices=(0, 1, 2, 3)).by_race(lambda one, seed, budget: float(one), [0], (1, 10))
    assert [score.loss for score in tuned.scores] == [0.0, 1.0, math.inf, math.inf]


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ({"scratch": (1.0, 1.0), "a": (0.5, 1.4)}, "scratch"),  # better, but not by more than chance
        ({"scratch": (1.0, 1.0), "a": (0.5, 0.6)}, "a"),
        # the best is clearly better than scratch; one before it that may be as good is not
        ({"scratch": (1.0, 1.0), "wild": (-1.0, 1.5), "sure": (0.0, 0.0)}, "sure"),
    ],
)
def test_the_first_wins_a_race_unless_the_best_is_clearly_better(
    losses: dict[str, tuple[float, float]], chosen: str
) -> None:
    tuner = TransferTuner(choices=tuple(losses))
    assert tuner.by_race(lambda one, seed, budget: losses[one][seed], [0, 1], (1,)).choice == chosen


@pytest.mark.parametrize(("seeds", "budgets"), [([], (1, 2)), ([0], ()), ([0], (2, 2)), ([0], (2, 1))])
def test_a_race_needs_seeds_and_budgets_that_rise(seeds: list[int], budgets: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="seeds and rising budgets"):
        TransferTuner(choices=(1,)).by_race(lambda one, seed, budget: 0.0, seeds, budgets)
