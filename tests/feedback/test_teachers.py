import collections

import numpy as np
import pytest

from rlhf.errors import FeedbackError, ShapeError
from rlhf.feedback.teachers import TeacherScale, parse_teacher, teacher_scale
from rlhf.types.feedback import Choice

SCALE = TeacherScale(mean_return=10.0, lowest_return=0.0, difference_sd=4.0)
GOOD, BAD = np.full(5, 3.0), np.full(5, 1.0)


def answers(
    spec: str, left: np.ndarray, right: np.ndarray, count: int = 1, scale: TeacherScale = SCALE
) -> list[Choice]:
    teacher, rng = parse_teacher(spec), np.random.default_rng(0)
    return [teacher.answer(left, right, scale, rng).choice for _ in range(count)]


def share_left(spec: str, left: np.ndarray, right: np.ndarray) -> float:
    return answers(spec, left, right, 4000).count(Choice.LEFT) / 4000


def test_oracle_prefers_the_larger_return() -> None:
    assert answers("oracle", GOOD, BAD) == [Choice.LEFT]
    assert answers("oracle", BAD, GOOD) == [Choice.RIGHT]


def test_oracle_calls_returns_equal_that_differ_by_rounding() -> None:
    rewards = np.random.default_rng(0).normal(size=50)
    assert answers("oracle", rewards, rewards[::-1]) == [Choice.EQUAL]


def test_flipped_always_says_the_opposite() -> None:
    assert set(answers("flipped", GOOD, BAD, 50)) == {Choice.RIGHT}


def test_random_is_a_coin() -> None:
    assert share_left("random", GOOD, BAD) == pytest.approx(0.5, abs=0.03)


def test_mistakes_come_at_the_stated_rate() -> None:
    # standard error sqrt(.2 * .8 / 4000) = .006
    assert share_left("mistake:0.2", GOOD, BAD) == pytest.approx(0.8, abs=0.025)


def test_stochastic_is_a_sigmoid_of_the_difference_in_standard_deviations() -> None:
    # returns 15 and 5 differ by 10, that is 2.5 standard deviations; sigmoid(2.5) = .924
    assert share_left("stochastic", GOOD, BAD) == pytest.approx(0.924, abs=0.02)


def test_stochastic_is_equally_noisy_in_any_unit() -> None:
    large = TeacherScale(mean_return=1000.0, lowest_return=0.0, difference_sd=400.0)
    small = answers("stochastic", GOOD, BAD, 200)
    assert answers("stochastic", 100.0 * GOOD, 100.0 * BAD, 200, large) == small


def test_a_more_rational_teacher_is_less_noisy() -> None:
    # sigmoid(.5 * 2.5) = .777, and 0 is a coin
    assert share_left("stochastic:0.5", GOOD, BAD) == pytest.approx(0.777, abs=0.02)
    assert share_left("stochastic:0", GOOD, BAD) == pytest.approx(0.5, abs=0.03)


def test_myopic_looks_at_the_end() -> None:
    # sums 10 > 9, but weighted .5^4 .. 1 the right one gains at the end
    left, right = np.array([10.0, 0, 0, 0, 0]), np.array([0.0, 0, 0, 0, 9])
    assert answers("oracle", left, right) == [Choice.LEFT]
    assert answers("myopic:0.5", left, right) == [Choice.RIGHT]


def test_skip_when_both_achieve_almost_nothing() -> None:
    # .1 of the mean return 10 is 1
    nothing, something = np.full(5, 0.1), np.full(5, 0.3)
    assert answers("skip", nothing, nothing) == [Choice.SKIP]
    assert answers("skip", nothing, something) == [Choice.RIGHT]
    assert answers("skip:0.2", nothing, something) == [Choice.SKIP]


def test_equal_when_returns_differ_by_little() -> None:
    # .1 of the mean return 10 is 1
    assert answers("equal", np.full(5, 2.1), np.full(5, 2.0)) == [Choice.EQUAL]
    assert answers("equal", np.full(5, 2.3), np.full(5, 2.0)) == [Choice.LEFT]
    assert answers("equal:0.2", np.full(5, 2.3), np.full(5, 2.0)) == [Choice.EQUAL]


def test_thresholds_suit_rewards_that_are_never_positive() -> None:
    # like Pendulum: a random policy makes -300 on average, down to -500
    scale = TeacherScale(mean_return=-300.0, lowest_return=-500.0, difference_sd=100.0)
    worst, typical, near_typical = np.full(50, -9.9), np.full(50, -6.0), np.full(50, -5.9)
    assert answers("skip", worst, worst, scale=scale) == [Choice.SKIP]  # -495 < -500 + .1 * 200
    assert answers("skip", worst, typical, scale=scale) == [Choice.RIGHT]
    assert answers("equal", typical, near_typical, scale=scale) == [Choice.EQUAL]  # 5 < .1 * 100
    assert answers("equal", worst, typical, scale=scale) == [Choice.RIGHT]


def test_crowd_draws_members_equally_often_and_names_them() -> None:
    teacher, rng = parse_teacher("oracle + oracle+flipped"), np.random.default_rng(0)
    given = [teacher.answer(GOOD, BAD, SCALE, rng) for _ in range(3000)]
    counts = collections.Counter(answer.member_name for answer in given)
    assert set(counts) == {"oracle", "oracle-2", "flipped"}
    assert min(counts.values()) > 900
    assert all((answer.choice is Choice.RIGHT) == (answer.member_name == "flipped") for answer in given)


def test_same_generator_gives_the_same_answers() -> None:
    assert answers("random+mistake:0.3", GOOD, BAD, 100) == answers("random+mistake:0.3", GOOD, BAD, 100)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "wizard",
        "oracle+",
        "mistake:2",
        "mistake:much",
        "myopic:0",
        "myopic:nan",
        "oracle:1",
        "skip:-1",
        "random:1",
    ],
)
def test_malformed_description_is_refused(spec: str) -> None:
    with pytest.raises(FeedbackError):
        parse_teacher(spec)


def test_refusal_lists_what_is_allowed() -> None:
    with pytest.raises(
        FeedbackError, match=r"oracle, random, flipped, stochastic:1, mistake:0\.1, myopic:0\.9, skip:0\.1"
    ):
        parse_teacher("wizard")


def test_segments_of_different_length_are_refused() -> None:
    with pytest.raises(ShapeError):
        answers("oracle", np.zeros(5), np.zeros(6))


def test_scale_of_known_returns() -> None:
    scale = teacher_scale(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    # returns 2, 4, 6: variance 4, so a difference of two has variance 8
    assert (scale.mean_return, scale.lowest_return) == (4.0, 2.0)
    assert scale.difference_sd == pytest.approx(np.sqrt(8.0))


def test_scale_of_one_segment_is_refused() -> None:
    with pytest.raises(FeedbackError):
        teacher_scale(np.zeros((1, 5)))
