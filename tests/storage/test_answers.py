"""Answers read back for the annotator who gave them."""

import uuid
from collections.abc import Callable

import pytest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import answers
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def give(store: Store, make_query: Make) -> Callable[..., str]:
    """``give(run_id, annotator)`` answers a new pair and returns the answer's key."""

    def answer(run_id: str, annotator: str) -> str:
        sent = Answer(key=uuid.uuid4().hex, query_id=make_query(run_id), choice=Choice.LEFT)
        record_answer(store.engine, run_id, annotator, sent)
        return sent.key

    return answer


def _recent(store: Store, run_id: str, annotator: str, limit: int = 20) -> list[str]:
    with reading(store.engine) as connection:
        return [row["key"] for row in answers.recent_answers(connection, run_id, annotator, limit)]


def test_latest_answers_come_newest_last(
    store: Store, make_run: Make, make_annotator: Make, give: Make
) -> None:
    run_id, annotator = make_run(), make_annotator()
    keys = [give(run_id, annotator) for _ in range(4)]
    assert _recent(store, run_id, annotator, limit=3) == keys[1:]


def test_answers_of_others_and_of_other_runs_are_left_out(
    store: Store, make_run: Make, make_annotator: Make, give: Make
) -> None:
    run_id, annotator = make_run(), make_annotator()
    key = give(run_id, annotator)
    give(run_id, make_annotator())
    give(make_run(), annotator)
    assert _recent(store, run_id, annotator) == [key]


def test_answer_taken_back_is_no_recent_answer(
    store: Store, make_run: Make, make_annotator: Make, make_query: Make
) -> None:
    run_id, annotator = make_run(), make_annotator()
    query_id = make_query(run_id)
    sent = Answer(key="key-00001", query_id=query_id, choice=Choice.LEFT)
    undo = Answer(key="undo-0001", query_id=query_id, choice=Choice.UNDO, takes_back=sent.key)
    for answer in (sent, undo):
        record_answer(store.engine, run_id, annotator, answer)
    assert _recent(store, run_id, annotator) == []


def test_looking_back_has_a_limit_whoever_answered(
    store: Store, make_run: Make, make_annotator: Make, give: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_RECENT_ROWS", 2)
    run_id, annotator, other = make_run(), make_annotator(), make_annotator()
    give(run_id, annotator)
    for _ in range(2):
        give(run_id, other)
    assert _recent(store, run_id, annotator) == []


def test_newest_that_stand_come_in_the_order_they_were_given(
    store: Store, make_run: Make, make_annotator: Make, give: Make
) -> None:
    run_id, annotator = make_run(), make_annotator()
    keys = [give(run_id, annotator) for _ in range(4)]
    with reading(store.engine) as connection:
        newest = answers.standing_answers(connection, run_id, newest=2)
        every = answers.standing_answers(connection, run_id)
    assert [row["key"] for row in newest] == keys[2:]
    assert [row["key"] for row in every] == keys
