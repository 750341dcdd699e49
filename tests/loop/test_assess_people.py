"""What the store says of people, from answers put into it by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rlhf.loop import supervise
from rlhf.loop.assess_people import Assessment, Person, assess_people
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import models, queries
from rlhf.storage.engine import writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]
L, R, E, S = Choice.LEFT, Choice.RIGHT, Choice.EQUAL, Choice.SKIP


class Room:
    """A run and its people."""

    def __init__(self, store: Store, run_id: str, make_query: Make) -> None:
        self.store, self.run_id, self.make_query = store, run_id, make_query
        self.count = 0

    def answer(self, person: str, query_id: str, choice: Choice, *, seconds: float = 3.0) -> None:
        self.count += 1
        at = 1000.0 + 10.0 * self.count
        answer = Answer(
            key=f"answer-{self.count:06}",
            query_id=query_id,
            choice=choice,
            shown_at=at - seconds,
            answered_at=at,
        )
        record_answer(self.store.engine, self.run_id, person, answer)

    def answer_new(self, person: str, choices: Sequence[Choice]) -> list[str]:
        made = [self.make_query(self.run_id) for _ in choices]
        for query_id, choice in zip(made, choices, strict=True):
            self.answer(person, query_id, choice)
        return made

    def control(self, kind: QueryKind, person: str, source: str, *, swapped: bool = True) -> str:
        with writing(self.store.engine) as connection:
            query = queries.get_query(connection, source)
            sides = (
                (query["right_id"], query["left_id"]) if swapped else (query["left_id"], query["right_id"])
            )
            query_id = queries.insert_query(
                connection,
                self.run_id,
                left_id=sides[0],
                right_id=sides[1],
                kind=kind,
                score=None,
                predicted=None,
                policy_version=0,
                reward_version=0,
                asked_of=person,
                again=source,
            )
            queries.set_status(connection, query_id, QueryStatus.READY)
        return query_id

    def report(self, **people: dict[str, float]) -> None:
        """Store a reward version that saw people so."""
        usual = {
            "num_answers": 40,
            "rationality": 1.0,
            "side_bias": 0.0,
            "accuracy": 0.85,
            "num_tested": 40,
            "log_rationality_error": 0.2,
            "side_bias_error": 0.3,
        }
        ids, seen = list(people), [usual | changes for changes in people.values()]
        with writing(self.store.engine) as connection:
            models.insert_reward_version(
                connection,
                self.run_id,
                1,
                arrays=self.store.blobs.write_arrays({}),
                num_answers=8,
                steps=100,
                report={"annotator_ids": ids, "annotators": seen},
            )

    def assess(self) -> Assessment:
        return assess_people(self.store.engine, self.run_id)

    def find(self, person: str) -> Person:
        return next(one for one in self.assess().people if one.annotator_id == person)


@pytest.fixture
def room(store: Store, make_run: Make, make_query: Make) -> Room:
    return Room(store, make_run(), make_query)


def test_a_run_without_answers_has_no_people(room: Room) -> None:
    assert room.assess().people == ()
    assert room.assess().alpha is None


def test_choices_and_times_are_counted(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    room.answer_new(ann, [L, L, R, E, S])
    one = room.find(ann)
    assert (one.num_answers, one.left.count, one.left.of) == (5, 2, 3)
    assert (one.equal.value, one.skipped.value) == (0.2, 0.2)
    assert one.seconds == pytest.approx((3.0, 3.0, 3.0))
    assert len(one.recent_seconds) == 5


def test_a_repeat_is_consistent_if_the_same_clip_is_preferred(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    first, second, third = room.answer_new(ann, [L, L, E])
    for source, choice in ((first, R), (second, L), (third, E)):
        room.answer(ann, room.control(QueryKind.REPEAT, ann, source), choice)
    consistent = room.find(ann).consistent
    assert (consistent.count, consistent.of) == (2, 3)


def test_repeats_that_cannot_be_told_are_not_counted(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    (first,) = room.answer_new(ann, [L])
    room.answer(ann, room.control(QueryKind.REPEAT, ann, first), S)
    assert room.find(ann).consistent.of == 0


def test_gold_is_scored_whatever_side_it_was_on(room: Room, make_annotator: Make) -> None:
    ann, bob = make_annotator(), make_annotator()
    gold = room.make_query(room.run_id)
    supervise.mark_gold(room.store.engine, gold, L, by="Researcher", reason="")
    room.answer(ann, room.control(QueryKind.GOLD, ann, gold), R)  # sides changed: right
    room.answer(bob, gold, E)
    assert (room.find(ann).gold.count, room.find(ann).gold.of) == (1, 1)
    assert (room.find(bob).gold.count, room.find(bob).gold.of) == (0, 1)


def test_agreement_is_about_clips_not_about_sides(room: Room, make_annotator: Make) -> None:
    ann, bob, cy = (make_annotator() for _ in range(3))
    query_id = room.make_query(room.run_id)
    supervise.mark_gold(room.store.engine, query_id, L, by="Researcher", reason="")
    room.answer(ann, query_id, L)
    room.answer(bob, room.control(QueryKind.GOLD, bob, query_id), R)
    room.answer(cy, query_id, R)
    found = {one.annotator_id: one.agreement.value for one in room.assess().people}
    assert found == {ann: 0.5, bob: 0.5, cy: 0.0}
    assert room.assess().num_overlaps == 1


def test_the_newest_reward_says_who_is_reliable(room: Room, make_annotator: Make) -> None:
    ann, bob, cy = (make_annotator() for _ in range(3))
    for person in (ann, bob, cy):
        room.answer_new(person, [L])
    room.report(**{ann: {"rationality": 0.5}, bob: {"rationality": 2.0, "side_bias": -1.0}})
    people = room.assess().people
    assert [one.annotator_id for one in people] == [bob, ann, cy]
    assert people[0].reliability is not None
    assert people[0].reliability.low == pytest.approx(2.0 / 1.48, rel=0.01)  # exp(1.96 * 0.2)
    assert people[0].side_bias is not None
    assert people[0].side_bias.value == -1.0
    assert people[0].foreseen.value == pytest.approx(0.85)
    assert people[2].reliability is None


def test_reports_of_earlier_programs_say_less(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    room.answer_new(ann, [L])
    old: dict[str, Any] = {"annotator_ids": [ann], "annotators": [{"rationality": 1.0, "side_bias": 0.0}]}
    with writing(room.store.engine) as connection:
        models.insert_reward_version(
            connection, room.run_id, 1, arrays="none", num_answers=8, steps=100, report=old
        )
    assert room.find(ann).reliability is None


def test_decisions_are_part_of_it(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    room.answer_new(ann, [L])
    supervise.pause(room.store.engine, room.run_id, ann, by="Researcher", reason="")
    supervise.weigh(room.store.engine, room.run_id, ann, 0.25, by="Researcher", reason="")
    assert (room.find(ann).is_paused, room.find(ann).weight) == (True, 0.25)


def test_who_always_presses_left_is_remarked_on(room: Room, make_annotator: Make) -> None:
    ann, bob = make_annotator(), make_annotator()
    room.answer_new(ann, [L] * 16)
    room.answer_new(bob, [L, R] * 8)
    assert room.find(ann).remarks == ("Presses left in 100% of answers; half is to be expected",)
    assert room.find(bob).remarks == ()


@pytest.mark.parametrize(("accuracy", "remark"), [(0.55, "like a coin"), (0.1, "the opposite"), (0.8, None)])
def test_who_cannot_be_foreseen_is_remarked_on(
    room: Room, make_annotator: Make, accuracy: float, remark: str | None
) -> None:
    ann, bob, cy = (make_annotator() for _ in range(3))
    for person in (ann, bob, cy):
        room.answer_new(person, [L, R])
    room.report(**{ann: {"accuracy": accuracy}, bob: {}, cy: {}})
    assert [remark in said for said in room.find(ann).remarks] == ([] if remark is None else [True])
    assert room.find(bob).remarks == ()


def test_who_answers_repeats_otherwise_is_remarked_on(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    for source in room.answer_new(ann, [L, R] * 5):
        room.answer(ann, room.control(QueryKind.REPEAT, ann, source, swapped=False), S)
    assert room.find(ann).remarks == ()
    for source in room.answer_new(ann, [L] * 5 + [R] * 5):
        room.answer(ann, room.control(QueryKind.REPEAT, ann, source), L)
    assert any("only 5 of 10 alike" in remark for remark in room.find(ann).remarks)


def test_people_of_one_name_are_told_apart(room: Room, make_annotator: Make) -> None:
    ann, bob = make_annotator(), make_annotator()
    room.answer_new(ann, [L])
    assert room.find(ann).name == "Annotator"
    room.answer_new(bob, [L])
    assert room.find(ann).name == f"Annotator {ann[:4]}"


def test_what_was_taken_back_is_not_counted(room: Room, make_annotator: Make) -> None:
    ann = make_annotator()
    (query_id,) = room.answer_new(ann, [L])
    undo = Answer(key="undo-0001", query_id=query_id, choice=Choice.UNDO, takes_back="answer-000001")
    record_answer(room.store.engine, room.run_id, ann, undo)
    assert room.assess().people == ()
