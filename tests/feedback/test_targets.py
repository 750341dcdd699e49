import pytest

from rlhf.feedback.targets import choice_of_places, choice_of_ratings, prob_first, rated_pairs, strengths
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


@pytest.mark.parametrize(
    ("left", "right", "choice"),
    [
        (0, 1, Choice.LEFT),
        (3, 1, Choice.RIGHT),
        (0, None, Choice.LEFT),
        (None, 0, Choice.RIGHT),
        (None, None, Choice.SKIP),
    ],
)
def test_what_a_ranking_says_of_a_pair(left: int | None, right: int | None, choice: Choice) -> None:
    assert choice_of_places(left, right) is choice


@pytest.mark.parametrize(
    ("left", "right", "choice"),
    [(5, 1, Choice.LEFT), (1, 2, Choice.RIGHT), (2, 2, Choice.EQUAL), (None, 2, Choice.SKIP)],
)
def test_what_ratings_say_of_their_pair(left: int | None, right: int | None, choice: Choice) -> None:
    assert choice_of_ratings(left, right) is choice


def test_a_rating_is_held_against_the_latest_two_other_values_of_other_pairs() -> None:
    ratings = [4, 2, 2, 5, None, 3]
    queries = ["p", "p", "q", "q", "r", "s"]
    # The 2 of q: the 4 of p. The 5 of q: the 2 and the 4 of p. The 3 of s: the 5 and the later 2, both of q.
    assert rated_pairs(ratings, ["ann"] * 6, queries) == [(0, 2), (3, 1), (3, 0), (3, 5), (5, 2)]


def test_ratings_of_different_people_are_not_compared() -> None:
    assert rated_pairs([4, 2], ["ann", "bob"], ["p", "q"]) == []


def test_however_many_ratings_each_gives_two_comparisons_across_pairs() -> None:
    ratings = [1 + index % 5 for index in range(200)]
    pairs = rated_pairs(ratings, ["ann"] * 200, [str(index // 2) for index in range(200)])
    assert len(pairs) == 2 * 198  # the first pair has none before it
    assert all(ratings[better] > ratings[worse] for better, worse in pairs)
