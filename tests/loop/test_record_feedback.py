"""Answers on their way into the store: what each one does, and which are refused."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.loop.record_feedback import Answer, Outcome, Receipt, record_answer
from rlhf.storage import answers, queries, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """One run, one ready query and one annotator, with short words for what tests do."""

    store: Store
    run_id: str
    query_id: str
    annotator: str

    def answer(self, key: str, choice: Choice = Choice.LEFT, **others: Any) -> Receipt:
        who = {"annotator": self.annotator, "run_id": self.run_id, "query_id": self.query_id} | others
        sent = Answer(key=key, query_id=who["query_id"], choice=choice, takes_back=others.get("takes_back"))
        return record_answer(self.store.engine, who["run_id"], who["annotator"], sent)

    def undo(self, key: str, takes_back: str, **others: Any) -> Receipt:
        return self.answer(key, Choice.UNDO, takes_back=takes_back, **others)

    def rows(self) -> list[sa.RowMapping]:
        with reading(self.store.engine) as connection:
            query = sa.select(schema.answers).order_by(schema.answers.c.id)
            return list(connection.execute(query).mappings())

    def standing(self) -> list[tuple[str, Choice]]:
        with reading(self.store.engine) as connection:
            return [(row["key"], row["choice"]) for row in answers.standing_answers(connection, self.run_id)]

    def status(self) -> Any:
        with reading(self.store.engine) as connection:
            return queries.get_query(connection, self.query_id)["status"]

    def expire(self) -> None:
        with writing(self.store.engine) as connection:
            queries.set_status(connection, self.query_id, QueryStatus.EXPIRED)


@pytest.fixture
def desk(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> Desk:
    run_id = make_run()
    return Desk(store=store, run_id=run_id, query_id=make_query(run_id), annotator=make_annotator())


def test_answer_is_saved_with_all_it_came_with(desk: Desk) -> None:
    sent = Answer.from_json(
        {
            "key": "key-00001",
            "query_id": desk.query_id,
            "choice": "right",
            "shown_at": "2024-01-01T00:00:00+00:00",
            "answered_at": 1704067203.5,
            "loops": 2,
        }
    )
    receipt = record_answer(desk.store.engine, desk.run_id, desk.annotator, sent)
    (row,) = desk.rows()
    assert receipt == Receipt(key="key-00001", outcome=Outcome.SAVED)
    assert (row["choice"], row["annotator_id"], row["run_id"]) == (Choice.RIGHT, desk.annotator, desk.run_id)
    assert (row["shown_at"], row["answered_at"], row["details"]) == (1704067200.0, 1704067203.5, {"loops": 2})
    assert (row["reward_version"], row["policy_version"], row["is_late"]) == (1, 2, False)


def test_answer_notes_which_clip_was_left(desk: Desk) -> None:
    desk.answer("key-00001")
    (row,) = desk.rows()
    with reading(desk.store.engine) as connection:
        query = queries.get_query(connection, desk.query_id)
    assert (row["left_id"], row["right_id"]) == (query["left_id"], query["right_id"])


def test_answered_query_is_closed(desk: Desk) -> None:
    desk.answer("key-00001")
    assert desk.status() is QueryStatus.ANSWERED


def test_skip_counts_as_an_answer(desk: Desk) -> None:
    desk.answer("key-00001", Choice.SKIP)
    assert (desk.standing(), desk.status()) == ([("key-00001", Choice.SKIP)], QueryStatus.ANSWERED)


def test_same_key_is_stored_once(desk: Desk) -> None:
    desk.answer("key-00001")
    assert desk.answer("key-00001").outcome is Outcome.DUPLICATE
    assert len(desk.rows()) == 1


def test_key_sent_again_with_another_choice_changes_nothing(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    assert desk.answer("key-00001", Choice.RIGHT).outcome is Outcome.DUPLICATE
    assert desk.standing() == [("key-00001", Choice.LEFT)]


def test_late_answer_is_kept_and_marked(desk: Desk) -> None:
    desk.expire()
    assert desk.answer("key-00001").outcome is Outcome.LATE
    assert [row["is_late"] for row in desk.rows()] == [True]
    assert desk.status() is QueryStatus.EXPIRED


def test_late_answer_can_be_taken_back(desk: Desk) -> None:
    desk.expire()
    desk.answer("key-00001")
    assert desk.undo("undo-0001", "key-00001").outcome is Outcome.SAVED
    assert (desk.standing(), desk.status()) == ([], QueryStatus.EXPIRED)


def test_answer_to_a_pair_of_another_run_is_rejected(desk: Desk, make_run: Make) -> None:
    assert desk.answer("key-00001", run_id=make_run()).outcome is Outcome.REJECTED
    assert desk.rows() == []


def test_answer_to_an_unknown_pair_is_rejected(desk: Desk) -> None:
    assert desk.answer("key-00001", query_id="f" * 32).outcome is Outcome.REJECTED


def test_two_annotators_may_answer_the_same_pair(desk: Desk, make_annotator: Make) -> None:
    desk.answer("key-00001", Choice.LEFT)
    receipt = desk.answer("key-00002", Choice.RIGHT, annotator=make_annotator())
    assert receipt.outcome is Outcome.SAVED
    assert receipt.message is None  # it would say that somebody else was asked
    assert desk.standing() == [("key-00001", Choice.LEFT), ("key-00002", Choice.RIGHT)]


def test_second_answer_of_the_same_annotator_supersedes_the_first(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    receipt = desk.answer("key-00002", Choice.RIGHT)
    assert (receipt.outcome, receipt.message) == (Outcome.SAVED, "Your earlier answer was replaced.")
    assert desk.standing() == [("key-00002", Choice.RIGHT)]
    assert len(desk.rows()) == 2


def test_undo_takes_an_answer_back_and_opens_the_pair_again(desk: Desk) -> None:
    desk.answer("key-00001")
    assert desk.undo("undo-0001", "key-00001").outcome is Outcome.SAVED
    assert (desk.standing(), desk.status()) == ([], QueryStatus.READY)


def test_undo_is_idempotent(desk: Desk) -> None:
    desk.answer("key-00001")
    desk.undo("undo-0001", "key-00001")
    assert desk.undo("undo-0001", "key-00001").outcome is Outcome.DUPLICATE


def test_undo_of_a_replacing_answer_does_not_revive_the_first(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    desk.answer("key-00002", Choice.RIGHT)
    desk.undo("undo-0001", "key-00002")
    assert (desk.standing(), desk.status()) == ([], QueryStatus.READY)


def test_answer_taken_back_cannot_be_taken_back_again(desk: Desk) -> None:
    desk.answer("key-00001")
    desk.undo("undo-0001", "key-00001")
    assert desk.undo("undo-0002", "key-00001").outcome is Outcome.REJECTED
    assert len(desk.rows()) == 2


def test_undo_itself_cannot_be_taken_back(desk: Desk) -> None:
    desk.answer("key-00001")
    desk.undo("undo-0001", "key-00001")
    assert desk.undo("undo-0002", "undo-0001").outcome is Outcome.REJECTED


def test_replaced_answer_cannot_be_taken_back(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    desk.answer("key-00002", Choice.RIGHT)
    assert desk.undo("undo-0001", "key-00001").outcome is Outcome.REJECTED
    assert desk.standing() == [("key-00002", Choice.RIGHT)]


def test_somebody_elses_answer_cannot_be_taken_back(desk: Desk, make_annotator: Make) -> None:
    desk.answer("key-00001")
    receipt = desk.undo("undo-0001", "key-00001", annotator=make_annotator())
    assert receipt.outcome is Outcome.REJECTED
    assert desk.standing() == [("key-00001", Choice.LEFT)]


def test_undo_must_name_the_pair_of_its_answer(desk: Desk, make_query: Make) -> None:
    desk.answer("key-00001")
    receipt = desk.undo("undo-0001", "key-00001", query_id=make_query(desk.run_id))
    assert receipt.outcome is Outcome.REJECTED


def test_undo_leaves_a_pair_closed_that_somebody_else_answered(desk: Desk, make_annotator: Make) -> None:
    desk.answer("key-00001")
    desk.answer("key-00002", annotator=make_annotator())
    desk.undo("undo-0001", "key-00001")
    assert (desk.standing(), desk.status()) == ([("key-00002", Choice.LEFT)], QueryStatus.ANSWERED)


def test_pair_can_be_answered_again_after_an_undo(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    desk.undo("undo-0001", "key-00001")
    desk.answer("key-00002", Choice.EQUAL)
    assert (desk.standing(), desk.status()) == ([("key-00002", Choice.EQUAL)], QueryStatus.ANSWERED)


GOOD = {"key": "key-00001", "query_id": "0" * 32, "choice": "left"}


@pytest.mark.parametrize(
    "change",
    [
        {"key": None},
        {"key": "short"},
        {"key": "k" * 65},
        {"key": "key 0001!"},
        {"key": "key-00001\n"},
        {"key": 12345678},
        {"query_id": None},
        {"query_id": 7},
        {"query_id": "\ud800"},
        {"query_id": "q" * 100},
        {"choice": "best"},
        {"choice": None},
        {"choice": ["left"]},
        {"choice": {}},
        {"choice": "undo"},
        {"choice": "undo", "of": 7},
        {"choice": "undo", "of": "\ud800\ud800\ud800\ud800\ud800\ud800\ud800\ud800"},
        {"of": "key-00000"},
        {"completes": 7},
        {"completes": "short"},
        {"strength": 0},
        {"strength": 3},
        {"strength": True},
        {"strength": "2"},
        {"strength": 1.5},
        {"strength": 2, "choice": "equal"},
        {"strength": 1, "choice": "skip"},
        {"both_bad": True},
        {"both_bad": False, "choice": "equal"},
        {"both_bad": "yes", "choice": "equal"},
        {"tags": "smooth"},
        {"tags": [""]},
        {"tags": ["x" * 41]},
        {"tags": [7]},
        {"tags": ["a"] * 9},
        {"comment": "x" * 501},
        {"comment": ["x"]},
        {"moment": 3},
        {"moment": {}},
        {"moment": {"frame": -1}},
        {"moment": {"frame": True}},
        {"moment": {"frame": "3"}},
        {"moment": {"frame": 10**9}},
    ],
    ids=repr,
)
def test_malformed_answer_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FeedbackError):
        Answer.from_json(GOOD | change)


def test_reasons_and_strength_are_kept_with_the_answer() -> None:
    given = {"strength": 2, "tags": ["smoother", "faster", "smoother"], "comment": "\u00fcber"}
    sent = Answer.from_json(GOOD | given | {f"more-{n}": n for n in range(40)})
    assert {name: sent.details[name] for name in given} == given | {"tags": ["smoother", "faster"]}
    assert len(sent.details) <= 20


@pytest.mark.parametrize(("frame", "is_kept"), [(3, True), (4, False)])
def test_moment_outside_the_clips_does_not_cost_the_answer(desk: Desk, frame: int, is_kept: bool) -> None:
    more = {"query_id": desk.query_id, "moment": {"frame": frame, "odd": 1}, "strength": 2}
    receipt = record_answer(desk.store.engine, desk.run_id, desk.annotator, Answer.from_json(GOOD | more))
    assert receipt.outcome is Outcome.SAVED
    kept = {"moment": {"frame": frame}} if is_kept else {}
    assert desk.rows()[0]["details"] == {"strength": 2} | kept


def test_both_bad_is_an_equal_answer_that_keeps_the_fact() -> None:
    sent = Answer.from_json(GOOD | {"choice": "equal", "both_bad": True})
    assert (sent.choice, sent.details) == (Choice.EQUAL, {"both_bad": True})


def test_answer_is_stored_with_the_sides_that_were_seen(desk: Desk) -> None:
    sent = Answer.from_json(GOOD | {"query_id": desk.query_id, "choice": "left", "is_swapped": True})
    record_answer(desk.store.engine, desk.run_id, desk.annotator, sent)
    with reading(desk.store.engine) as connection:
        query = queries.get_query(connection, desk.query_id)
        (row,) = answers.standing_answers(connection, desk.run_id)
    assert (row["left_id"], row["right_id"]) == (query["right_id"], query["left_id"])
    assert (row["choice"], row["predicted"]) == (Choice.LEFT, 1 - query["predicted"])


def test_reason_given_afterwards_completes_the_answer_in_silence(desk: Desk) -> None:
    given = {
        "query_id": desk.query_id,
        "strength": 2,
        "is_swapped": True,
        "shown_at": 5.0,
        "answered_at": 7.0,
    }
    first = Answer.from_json(GOOD | given | {"tags": ["faster"], "speed": 0.5})
    record_answer(desk.store.engine, desk.run_id, desk.annotator, first)
    with reading(desk.store.engine) as connection:
        newest = answers.last_id(connection, desk.run_id)
    more = {"key": "key-00002", "query_id": desk.query_id, "completes": "key-00001", "comment": "calm"}
    receipt = record_answer(desk.store.engine, desk.run_id, desk.annotator, Answer.from_json(GOOD | more))
    assert receipt == Receipt(key="key-00002", outcome=Outcome.SAVED)
    before, after = desk.rows()
    assert after["details"] == {"strength": 2, "speed": 0.5, "comment": "calm"}
    assert after["supersedes"] == newest
    same = ("choice", "left_id", "right_id", "shown_at", "answered_at", "is_late")
    assert [after[name] for name in same] == [before[name] for name in same]
    with reading(desk.store.engine) as connection:
        assert answers.count_changes(connection, desk.run_id, newest) == 0


def test_changed_answer_is_a_change_to_learn_from(desk: Desk) -> None:
    desk.answer("key-00001", Choice.LEFT)
    with reading(desk.store.engine) as connection:
        newest = answers.last_id(connection, desk.run_id)
    desk.answer("key-00002", Choice.RIGHT)
    with reading(desk.store.engine) as connection:
        assert answers.count_changes(connection, desk.run_id, newest) == 1


@pytest.mark.parametrize(
    ("before", "after", "changes"), [(1, 2, 1), (None, 1, 1), (2, 2, 0), (None, None, 0)]
)
def test_a_change_of_strength_alone_is_a_change_to_learn_from(
    desk: Desk, before: int | None, after: int | None, changes: int
) -> None:
    for key, strength in (("key-00001", before), ("key-00002", after)):
        sent = Answer.from_json(GOOD | {"key": key, "query_id": desk.query_id, "strength": strength})
        record_answer(desk.store.engine, desk.run_id, desk.annotator, sent)
    with reading(desk.store.engine) as connection:
        assert answers.count_changes(connection, desk.run_id, desk.rows()[0]["id"]) == changes


def test_reason_for_an_answer_taken_back_is_rejected(desk: Desk) -> None:
    desk.answer("key-00001")
    desk.undo("undo-0001", "key-00001")
    more = {"key": "key-00002", "query_id": desk.query_id, "completes": "key-00001", "tags": ["smoother"]}
    receipt = record_answer(desk.store.engine, desk.run_id, desk.annotator, Answer.from_json(GOOD | more))
    assert receipt.outcome is Outcome.REJECTED
    assert desk.standing() == []


@pytest.mark.parametrize("data", [None, [], "answer", 7])
def test_answer_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(FeedbackError, match="must be an object"):
        Answer.from_json(data)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        None,
        True,
        [],
        {},
        float("nan"),
        float("inf"),
        10**400,
        "0001-01-01",
        "9999-12-31T23:59:59-23:59",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_time_that_is_none_does_not_cost_the_answer(desk: Desk, value: Any) -> None:
    sent = Answer.from_json(GOOD | {"query_id": desk.query_id, "shown_at": value})
    assert record_answer(desk.store.engine, desk.run_id, desk.annotator, sent).outcome is Outcome.SAVED


def test_details_are_kept_small() -> None:
    many: dict[str, Any] = {f"{n}-{'x' * 100}": ["y" * 1000] for n in range(100)}
    sent = Answer.from_json(GOOD | many)
    assert len(sent.details) <= 20
    assert all(len(name) <= 40 and len(value) <= 500 for name, value in sent.details.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "\ud800", "\x00"], ids=ascii)
def test_odd_details_are_stored_as_valid_json(desk: Desk, value: Any) -> None:
    sent = Answer.from_json(GOOD | {"query_id": desk.query_id, "odd": value})
    record_answer(desk.store.engine, desk.run_id, desk.annotator, sent)
    with reading(desk.store.engine) as connection:
        text = connection.execute(sa.text("SELECT details FROM answers")).scalar_one()

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    assert list(json.loads(text, parse_constant=refuse)) == ["odd"]
