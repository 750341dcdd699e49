"""Control questions: when they come, what they show, and that nothing gives them away."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.loop import supervise
from rlhf.loop.ask_again import REPEAT_AFTER, ask_again, count_consistent
from rlhf.loop.record_feedback import Answer, Outcome, record_answer
from rlhf.storage import answers, queries, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.ui.pair_feed import next_pairs
from rlhf.ui.store import Store

Make = Callable[..., str]


class Sitting:
    """One person who answers the pairs of a run in which chance always asks for a control question."""

    def __init__(self, store: Store, run_id: str, person: str, make_query: Make) -> None:
        self.store, self.run_id, self.person, self.make_query = store, run_id, person, make_query
        self.count = 0

    def answer(self, query_id: str, choice: Choice = Choice.LEFT) -> Outcome:
        self.count += 1
        answer = Answer(key=f"{self.person[:20]}-{self.count:06}", query_id=query_id, choice=choice)
        return record_answer(self.store.engine, self.run_id, self.person, answer).outcome

    def answer_new(self, number: int, choice: Choice = Choice.LEFT) -> list[str]:
        made = [self.make_query(self.run_id) for _ in range(number)]
        for query_id in made:
            self.answer(query_id, choice)
        return made

    def ask(self) -> list[sa.RowMapping]:
        """Let chance decide once; return the control questions there are."""
        with writing(self.store.engine) as connection:
            ask_again(connection, runs.get_run(connection, self.run_id), self.person)
        with reading(self.store.engine) as connection:
            asked = queries.list_controls(connection, self.run_id, self.person)
            return [queries.get_query(connection, row["id"]) for row in asked]


@pytest.fixture
def sitting(store: Store, make_run: Make, make_annotator: Make, make_query: Make) -> Callable[..., Sitting]:
    """``sitting(repeat_share=1.0, gold_share=0.0)``."""

    def make(**shares: float) -> Sitting:
        run_id = make_run()
        with writing(store.engine) as connection:
            settings: dict[str, Any] = {"repeat_share": 0.0, "gold_share": 0.0} | shares
            runs.update_run(connection, run_id, config={"queries": settings})
        return Sitting(store, run_id, make_annotator(), make_query)

    return make


def test_a_repeat_shows_an_old_pair_with_its_sides_changed(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    first, *_ = ann.answer_new(REPEAT_AFTER + 1)
    (repeat,) = ann.ask()
    with reading(ann.store.engine) as connection:
        source = queries.get_query(connection, first)
    assert (repeat["kind"], repeat["again"], repeat["asked_of"]) == (QueryKind.REPEAT, first, ann.person)
    assert (repeat["left_id"], repeat["right_id"]) == (source["right_id"], source["left_id"])
    assert repeat["predicted"] is None


def test_nothing_is_repeated_too_soon(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    assert ann.ask() == []
    ann.answer_new(REPEAT_AFTER)
    assert ann.ask() == []


def test_only_one_control_question_waits(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    ann.answer_new(REPEAT_AFTER + 5)
    assert [len(ann.ask()) for _ in range(3)] == [1, 1, 1]


def test_no_pair_is_repeated_twice_and_no_repeat_is(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    made = ann.answer_new(REPEAT_AFTER + 3)
    repeats = set()
    for _ in range(10):
        repeat = ann.ask()[-1]["id"]
        repeats.add(repeat)
        ann.answer(repeat, Choice.RIGHT)
        ann.answer_new(1)
    again = [row["again"] for row in ann.ask()]
    assert len(again) == len(set(again)) == 11
    assert repeats.isdisjoint(again)
    assert again[0] in made[:3]  # drawn, so which of the three comes first is chance


def test_the_first_answer_stands_beside_the_second(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    ann.answer_new(REPEAT_AFTER + 1)
    (repeat,) = ann.ask()
    assert ann.answer(repeat["id"], Choice.RIGHT) is Outcome.SAVED
    with reading(ann.store.engine) as connection:
        assert len(answers.standing_answers(connection, ann.run_id)) == REPEAT_AFTER + 2


def test_control_questions_are_for_one_person_alone(
    sitting: Callable[..., Sitting], make_annotator: Make
) -> None:
    ann = sitting(repeat_share=1.0)
    ann.answer_new(REPEAT_AFTER + 1)
    ann.ask()
    bob = make_annotator()
    with writing(ann.store.engine) as connection:
        assert queries.lease_ready(connection, ann.run_id, bob, 6) == []
        assert queries.list_open(connection, ann.run_id) == []
        assert len(queries.lease_ready(connection, ann.run_id, ann.person, 6)) == 1


def test_the_browser_cannot_tell_a_repeat_from_another_pair(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    ann.answer_new(REPEAT_AFTER + 1)
    ann.make_query(ann.run_id, kind=QueryKind.AUDIT)
    repeat, other = next_pairs(ann.store, ann.run_id, ann.person, [])["queue"]
    assert repeat.keys() == other.keys()
    assert repeat["reason"] == other["reason"]


def test_repeats_come_at_their_share(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=0.5)
    ann.answer_new(REPEAT_AFTER)
    for _ in range(40):
        ann.answer_new(1)
        waiting = ann.ask()
        if waiting:
            ann.answer(waiting[-1]["id"])
    assert 7 <= len(ann.ask()) <= 33  # four standard deviations


def test_gold_pairs_reach_those_who_have_not_seen_them(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(gold_share=1.0)
    (seen,) = ann.answer_new(1)
    marked = ann.make_query(ann.run_id)
    for query_id in (seen, marked):
        supervise.mark_gold(ann.store.engine, query_id, Choice.LEFT, by="Researcher", reason="")
    (gold,) = ann.ask()
    assert (gold["kind"], gold["again"]) == (QueryKind.GOLD, marked)
    ann.answer(gold["id"])
    assert len(ann.ask()) == 1


def test_a_mark_taken_back_is_not_asked(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(gold_share=1.0)
    ann.answer_new(1)
    act = supervise.mark_gold(
        ann.store.engine, ann.make_query(ann.run_id), Choice.LEFT, by="Researcher", reason=""
    )
    supervise.undo(ann.store.engine, act, by="Researcher")
    assert ann.ask() == []


def test_consistency_is_told_in_groups_only(sitting: Callable[..., Sitting]) -> None:
    ann = sitting(repeat_share=1.0)
    ann.answer_new(REPEAT_AFTER + 1)
    told = []
    for index in range(5):
        # the sides are changed, so RIGHT is the clip that was preferred
        ann.answer(ann.ask()[-1]["id"], Choice.LEFT if index == 0 else Choice.RIGHT)
        ann.answer_new(1)
        with reading(ann.store.engine) as connection:
            told.append(count_consistent(connection, ann.run_id, ann.person, 5))
    assert told == [(0, 0)] * 4 + [(4, 5)]


def test_who_is_paused_gets_no_pairs_and_is_told(sitting: Callable[..., Sitting]) -> None:
    ann = sitting()
    ann.make_query(ann.run_id)
    act = supervise.pause(ann.store.engine, ann.run_id, ann.person, by="Researcher", reason="")
    reply = next_pairs(ann.store, ann.run_id, ann.person, [])
    assert reply["queue"] == []
    assert "paused your part" in reply["status"]["notice"]
    supervise.undo(ann.store.engine, act, by="Researcher")
    reply = next_pairs(ann.store, ann.run_id, ann.person, [])
    assert len(reply["queue"]) == 1
    assert "notice" not in reply["status"]
