import dataclasses

import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.types.reward import AnswerViews


def views(count: int = 3) -> AnswerViews:
    numbers = np.arange(count, dtype=np.float32)
    return AnswerViews(
        answer=np.arange(count), lead=numbers, unseen=numbers / 10, against=numbers + 1, influence=numbers + 2
    )


def test_what_was_stored_comes_back() -> None:
    stored = {"gain": np.ones(2)} | views().to_arrays()
    found = AnswerViews.from_arrays(stored)
    assert found is not None
    for name, array in vars(views()).items():
        np.testing.assert_array_equal(getattr(found, name), array)


def test_versions_of_earlier_programs_have_none() -> None:
    assert AnswerViews.from_arrays({"gain": np.ones(2)}) is None


def test_the_first_comparisons_get_the_numbers_of_their_answers() -> None:
    found = views().called([17, 9])
    assert found.answer.tolist() == [17, 9]
    assert found.against.tolist() == [1.0, 2.0]


def test_one_comparison_alone() -> None:
    assert views().at(2).influence.tolist() == [4.0]


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"AnswerViews\.unseen"):
        dataclasses.replace(views(), unseen=np.zeros(2, np.float32))
