"""Ratings of single clips: what is stored, when their pair is answered, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from rlhf.errors import FeedbackError
from rlhf.loop.record_feedback import Outcome, Receipt
from rlhf.loop.record_item import record_item
from rlhf.storage import answers, queries, ratings
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


class Desk:
    """One run, one ready pair and one annotator."""

    def __init__(self, store: Store, run_id: str, query_id: str, annotator: str) -> None:
        self.store, self.run_id, self.query_id, self.annotator = store, run_id, query_id, annotator

    def rate(self, key: str, side: str, rating: int | None = None, **fields: Any) -> Receipt:
        item = {"form": "rating", "key": key, "query_id": self.query_id, "side": side, "rating": rating}
        return record_item(self.store.engine, self.run_id, self.annotator, item | fields)

    def values(self) -> list[int | None]:
        with reading(self.store.engine) as connection:
            return [row["rating"] for row in ratings.list_standing_ratings(connection, self.run_id)]

    def answer(self) -> tuple[Choice | None, QueryStatus]:
        with reading(self.store.engine) as connection:
            row = answers.standing_answer(connection, self.query_id, self.annotator)
            return row and row["choice"], queries.get_query(connection, self.query_id)["status"]


@pytest.fixture
def desk(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> Desk:
    run_id = make_run()
    return Desk(store, run_id, make_query(run_id), make_annotator())


def test_one_rating_is_kept_and_leaves_the_pair_open(desk: Desk) -> None:
    assert desk.rate("rate-0001", "left", 4) == Receipt(key="rate-0001", outcome=Outcome.SAVED)
    assert desk.rate("rate-0001", "left", 5).outcome is Outcome.DUPLICATE
    assert (desk.values(), desk.answer()) == ([4], (None, QueryStatus.READY))


@pytest.mark.parametrize(
    ("left", "right", "choice"),
    [(4, 2, Choice.LEFT), (1, 2, Choice.RIGHT), (3, 3, Choice.EQUAL), (3, None, Choice.SKIP)],
)
def test_both_ratings_answer_the_pair(
    desk: Desk, left: int | None, right: int | None, choice: Choice
) -> None:
    desk.rate("rate-0001", "right", right)
    desk.rate("rate-0002", "left", left)
    assert desk.answer() == (choice, QueryStatus.ANSWERED)


def test_second_rating_of_a_clip_replaces_the_first_and_the_answer(desk: Desk) -> None:
    desk.rate("rate-0001", "left", 4)
    desk.rate("rate-0002", "right", 2)
    desk.rate("rate-0003", "left", 1)
    assert (desk.values(), desk.answer()) == ([2, 1], (Choice.RIGHT, QueryStatus.ANSWERED))


def test_undo_takes_back_the_rating_and_the_answer_it_gave(desk: Desk) -> None:
    desk.rate("rate-0001", "left", 4)
    desk.rate("rate-0002", "right", 2)
    assert desk.rate("undo-0001", "right", of="rate-0002").outcome is Outcome.SAVED
    assert (desk.values(), desk.answer()) == ([4], (None, QueryStatus.READY))
    with pytest.raises(FeedbackError, match="no such rating"):
        desk.rate("undo-0002", "right", of="rate-0002")
    desk.rate("rate-0003", "right", 5)
    assert desk.answer() == (Choice.RIGHT, QueryStatus.ANSWERED)


def test_ratings_of_two_people_do_not_make_an_answer(desk: Desk, make_annotator: Make) -> None:
    desk.rate("rate-0001", "left", 4)
    desk.annotator = make_annotator()
    desk.rate("rate-0002", "right", 2)
    assert desk.answer() == (None, QueryStatus.READY)


def test_rating_of_an_expired_clip_is_late(desk: Desk) -> None:
    with writing(desk.store.engine) as connection:
        queries.set_status(connection, desk.query_id, QueryStatus.EXPIRED)
    assert desk.rate("rate-0001", "left", 4).outcome is Outcome.LATE


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": "k" * 61},
        {"query_id": "f" * 32},
        {"query_id": 7},
        {"side": "top"},
        {"side": None},
        {"rating": 0},
        {"rating": 6},
        {"rating": True},
        {"rating": "3"},
        {"rating": [3]},
        {"of": "rate-9999"},
        {"of": 7},
    ],
    ids=repr,
)
def test_what_cannot_be_a_rating_is_refused_and_stores_nothing(desk: Desk, change: dict[str, Any]) -> None:
    with pytest.raises(FeedbackError):
        desk.rate(**{"key": "rate-0001", "side": "left", "rating": 3} | change)
    assert desk.values() == []


def test_clip_of_another_run_is_refused(desk: Desk, make_run: Make) -> None:
    desk.run_id = make_run()
    with pytest.raises(FeedbackError, match="does not belong"):
        desk.rate("rate-0001", "left", 3)
