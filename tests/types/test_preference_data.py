import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.types.feedback import PreferenceData, Rankings, Strength

FEATURES = np.zeros((4, 2, 1), np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def make(**changes: object) -> PreferenceData:
    parts: dict[str, object] = {
        "features": FEATURES,
        "first": ints(0, 1),
        "second": ints(2, 3),
        "prob_first": np.array([1.0, 0.5], np.float32),
        "annotator": ints(0, 2),
    }
    return PreferenceData(**(parts | changes))  # type: ignore[arg-type]


def rankings(order: list[list[int]], num_ranked: list[int]) -> Rankings:
    return Rankings(
        order=np.array(order, np.int64),
        num_ranked=np.array(num_ranked, np.int64),
        annotator=np.ones(len(order), np.int64),
    )


def test_comparisons_alone_have_no_strength_and_no_rankings() -> None:
    data = make()
    assert len(data) == 2
    assert data.strength.tolist() == [Strength.UNSAID] * 2
    assert data.is_tie.tolist() == [False, True]
    assert data.weight_of.tolist() == [1.0, 1.0]


def test_rankings_are_answers_too() -> None:
    data = make(rankings=rankings([[3, 1, 0], [2, 0, -1]], [2, 1]))
    assert len(data) == 4
    assert data.annotator_of.tolist() == [0, 2, 1, 1]
    assert data.num_annotators == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first", ints(0, 4)),
        ("second", ints(0, -1)),
        ("prob_first", np.array([0.0, 0.7], np.float32)),
        ("strength", ints(0, 3)),
        ("annotator", ints(0)),
        ("rankings", rankings([[0, 9]], [1])),
        ("weight", np.ones(3, np.float32)),
        ("weight", np.array([1.0, 0.0], np.float32)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: object) -> None:
    with pytest.raises(ShapeError, match=name):
        make(**{name: value})


@pytest.mark.parametrize(
    ("order", "num_ranked"), [([[0, 1, 2]], [3]), ([[0, 1, -1]], [2]), ([[0, 1]], [0]), ([[0, -1, 1]], [1])]
)
def test_places_that_do_not_exist_are_refused(order: list[list[int]], num_ranked: list[int]) -> None:
    with pytest.raises(ShapeError, match="Rankings"):
        rankings(order, num_ranked)
