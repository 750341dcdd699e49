import numpy as np
import pytest

from rlhf.evaluation.people import Share, agreement_of_all, agreement_with_others, drift
from rlhf.evaluation.statistics import wilson_interval

FIRST, SECOND = ("a", "b"), ("c", "d")


def test_a_share_of_nothing_is_unknown() -> None:
    assert Share().value is None
    assert Share().interval() == (0.0, 1.0)


def test_a_share_has_wilsons_interval() -> None:
    assert Share(count=9, of=10).interval() == wilson_interval(9, 10)


def test_agreement_counts_each_question_once() -> None:
    opinions = {
        FIRST: {"ann": 1, "bob": 1, "cy": 2},
        SECOND: {"ann": 0, "bob": 0},
        ("e", "f"): {"ann": 1},
    }
    found = agreement_with_others(opinions)
    assert found == {
        "ann": Share(count=1.5, of=2),
        "bob": Share(count=1.5, of=2),
        "cy": Share(count=0.0, of=1),
    }


def test_alpha_has_an_interval_around_it() -> None:
    rng = np.random.default_rng(0)
    opinions = {}
    for index in range(60):
        truth = int(rng.integers(1, 3))
        said = {who: truth if rng.random() < 0.9 else 3 - truth for who in ("ann", "bob")}
        opinions[(f"{index}", "x")] = said
    found = agreement_of_all(opinions, np.random.default_rng(0))
    assert found is not None
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.6
    assert found.value == pytest.approx(0.64, abs=0.2)  # two people right 9 times of 10: 2 * .82 - 1


@pytest.mark.parametrize("opinions", [{}, {FIRST: {"ann": 1}}, {FIRST: {"ann": 1, "bob": 1}}])
def test_alpha_needs_overlap_and_variety(opinions: dict[tuple[str, str], dict[str, int]]) -> None:
    assert agreement_of_all(opinions, np.random.default_rng(0)) is None


def test_tiring_in_a_sitting_shows_as_drift() -> None:
    is_right = np.arange(200) % 100 < 50
    times = np.arange(200.0) + np.where(np.arange(200) >= 100, 3600.0, 0.0)  # two sittings
    found = drift(times, is_right)
    assert found is not None
    assert found.value == -1.0
    assert found.high < -0.9


def test_drift_is_of_whole_sittings_only() -> None:
    assert drift(3600.0 * np.arange(200), np.ones(200, np.bool_)) is None
    assert drift(np.zeros(0), np.zeros(0, np.bool_)) is None
