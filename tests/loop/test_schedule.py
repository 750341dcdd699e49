import dataclasses

import pytest

from rlhf.config import override
from rlhf.loop.config import RunConfig, ScheduleConfig
from rlhf.loop.schedule import is_fit_due, labels_due, pessimism, session_size

SCHEDULE = ScheduleConfig(total_steps=10_000, labels=100, initial_share=0.25, initial_labels=10)


def test_the_initial_share_is_due_at_once() -> None:
    assert labels_due(SCHEDULE, 0) == 25


def test_at_least_the_initial_labels_are_due_at_once() -> None:
    few = ScheduleConfig(total_steps=10_000, labels=100, initial_share=0.05, initial_labels=10)
    assert labels_due(few, 0) == 10


def test_no_more_than_all_labels_are_due_at_once() -> None:
    assert labels_due(ScheduleConfig(labels=4, initial_labels=20), 0) == 4


def test_labels_due_never_falls() -> None:
    due = [labels_due(SCHEDULE, steps) for steps in range(0, 10_001, 50)]
    assert due == sorted(due)


def test_all_labels_are_due_at_the_end_of_labelling() -> None:
    assert labels_due(SCHEDULE, 5_000) < 100
    assert labels_due(SCHEDULE, 6_000) == 100
    assert labels_due(SCHEDULE, 10_000) == 100


def test_more_labels_come_early_than_late() -> None:
    halfway = labels_due(SCHEDULE, 3_000)
    assert halfway - labels_due(SCHEDULE, 0) > 100 - halfway


def test_labels_can_come_evenly() -> None:
    even = dataclasses.replace(SCHEDULE, front_load=0.0)
    assert [labels_due(even, steps) for steps in (0, 2_000, 4_000, 6_000)] == [25, 50, 75, 100]
    with pytest.raises(ValueError, match="front_load"):
        dataclasses.replace(SCHEDULE, front_load=-1.0)


def test_without_labels_none_is_ever_due() -> None:
    schedule = ScheduleConfig(total_steps=1_000, labels=0)
    assert {labels_due(schedule, steps) for steps in range(0, 1_001, 100)} == {0}


def test_with_no_time_for_labelling_all_are_due_at_once() -> None:
    assert labels_due(ScheduleConfig(labels=50, labels_end=0.0), 0) == 50


@pytest.mark.parametrize(
    ("due", "given", "size"),
    [
        (25, 0, 25),  # the first session, whatever its size
        (3, 0, 3),
        (34, 25, 0),  # not yet a whole session
        (35, 25, 10),
        (100, 97, 3),  # the last ones need not fill a session
        (100, 100, 0),
        (100, 103, 0),  # a person answered as well
        (0, 0, 0),
    ],
)
def test_a_session_waits_until_it_is_whole(due: int, given: int, size: int) -> None:
    schedule = ScheduleConfig(labels=100, session_labels=10)
    assert max(0, session_size(schedule, due=due, given=given)) == size


def test_sessions_grow_with_what_was_answered() -> None:
    schedule = ScheduleConfig(labels=1000, session_labels=5, refit_share=0.1)
    sizes = [session_size(schedule, due=given + 20, given=given) for given in (40, 200, 201)]
    assert sizes == [20, 20, 0]


@pytest.mark.parametrize(
    ("comparisons", "fitted", "is_due"),
    [(7, 0, False), (8, 0, True), (11, 8, False), (12, 8, True), (109, 100, False), (110, 100, True)],
)
def test_a_fit_is_due_after_enough_new_answers(comparisons: int, fitted: int, is_due: bool) -> None:
    schedule = ScheduleConfig(first_answers=8, refit_answers=4, refit_share=0.1)
    assert (
        is_fit_due(schedule, comparisons=comparisons, changes=comparisons - fitted, fitted=fitted) is is_due
    )


def test_pessimism_begins_when_half_of_the_answers_are_in() -> None:
    config = override(RunConfig(), {"schedule.labels": 100, "improve.late_pessimism": 0.7})
    assert [pessimism(config, answers, 0.0) for answers in (0, 49, 50, 500)] == [0.0, 0.0, 0.7, 0.7]


def test_pessimism_that_is_asked_for_stays() -> None:
    config = override(RunConfig(), {"schedule.labels": 100, "reward.pessimism": 0.5})
    assert [pessimism(config, answers, 0.0) for answers in (0, 50, 500)] == [0.5, 0.5, 0.5]
    both = override(config, {"improve.late_pessimism": 0.2, "improve.curiosity": 0.1})
    assert [pessimism(both, answers, 0.0) for answers in (0, 50)] == pytest.approx([0.4, 0.6])


def test_a_policy_is_curious_as_long_as_people_are_asked() -> None:
    config = override(RunConfig(), {"improve.curiosity": 1.0, "schedule.labels_end": 0.4})
    assert [pessimism(config, 10, progress) for progress in (0.0, 0.39, 0.4, 1.0)] == [-1.0, -1.0, 0.0, 0.0]
