import pytest

from rlhf.feedback.targets import prob_first
from rlhf.types.feedback import Choice


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
