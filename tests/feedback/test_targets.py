import pytest

from rlhf.feedback.targets import prob_first, strengths
from rlhf.types.feedback import Choice, Strength


@pytest.mark.parametrize(
    ("choice", "target"),
    [
        (Choice.LEFT, 1.0),
        (Choice.RIGHT, 0.0),
        (Choice.EQUAL, 0.5),
        (Choice.SKIP, None),
        (Choice.UNDO, None),
    ],
)
def test_target_of_each_choice(choice: Choice, target: float | None) -> None:
    assert prob_first(choice) == target


def test_every_choice_has_a_rule() -> None:
    for choice in Choice:
        prob_first(choice)


def test_better_and_much_better_are_slight_and_clear() -> None:
    said = strengths([1, 2, None], ["ann", "ann", "ann"])
    assert said.tolist() == [Strength.SLIGHT, Strength.CLEAR, Strength.UNSAID]


def test_better_says_nothing_of_strength_where_nobody_says_much_better() -> None:
    said = strengths([1, 1, 2, None], ["ann", "bob", "bob", "teacher"])
    assert said.tolist() == [Strength.UNSAID, Strength.SLIGHT, Strength.CLEAR, Strength.UNSAID]
