"""Four clips in order: what is stored, what both pairs are told, and what is refused."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.loop.record_feedback import Answer, Outcome, Receipt, record_answer
from rlhf.loop.record_item import record_item
from rlhf.storage import answers, queries, rankings, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


class Table:
    """One run, two ready pairs and one annotator, with short words for what tests do."""

    def __init__(self, store: Store, run_id: str, pairs: tuple[str, str], annotator: str) -> None:
        self.store, self.run_id, self.pairs, self.annotator = store, run_id, pairs, annotator

    def send(self, key: str = "rank-0001", **fields: Any) -> Receipt:
        item = {"form": "ranking", "key": key, "query_ids": list(self.pairs)} | fields
        return record_item(self.store.engine, self.run_id, self.annotator, item)

    def rank(self, *clips: str, key: str = "rank-0001") -> Receipt:
        """Rank clips called a, b (left and right of the first pair), c and d, best first."""
        return self.send(key, places=[self.clip(clip) for clip in clips])

    def clip(self, letter: str) -> list[str]:
        index = "abcd".index(letter)
        return [self.pairs[index // 2], ("left", "right")[index % 2]]

    def choices(self) -> list[Choice | None]:
        with reading(self.store.engine) as connection:
            rows = [answers.standing_answer(connection, pair, self.annotator) for pair in self.pairs]
        return [row and row["choice"] for row in rows]

    def statuses(self) -> set[QueryStatus]:
        with reading(self.store.engine) as connection:
            return {queries.get_query(connection, pair)["status"] for pair in self.pairs}

    def stored(self) -> list[tuple[str, int]]:
        """The letters of the order and the number of places of every ranking."""
        with reading(self.store.engine) as connection:
            names = {
                queries.get_query(connection, pair)[f"{side}_id"]: letter
                for (pair, side), letter in zip(
                    itertools.product(self.pairs, ("left", "right")), "abcd", strict=True
                )
            }
            rows = rankings.list_rankings(connection, self.run_id)
        return [("".join(names[one] for one in row["order"]), row["num_ranked"]) for row in rows]


@pytest.fixture
def table(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> Table:
    run_id = make_run()
    return Table(store, run_id, (make_query(run_id), make_query(run_id)), make_annotator())


@pytest.mark.parametrize(
    ("clips", "stored", "choices"),
    [
        ("dacb", ("dacb", 3), [Choice.LEFT, Choice.RIGHT]),
        ("dac", ("dacb", 3), [Choice.LEFT, Choice.RIGHT]),
        ("bc", ("bcad", 2), [Choice.RIGHT, Choice.LEFT]),
        ("c", ("cabd", 1), [Choice.SKIP, Choice.LEFT]),
        ("", ("abcd", 0), [Choice.SKIP, Choice.SKIP]),
    ],
)
def test_order_is_stored_and_answers_both_pairs(
    table: Table, clips: str, stored: tuple[str, int], choices: list[Choice]
) -> None:
    assert table.rank(*clips) == Receipt(key="rank-0001", outcome=Outcome.SAVED)
    assert table.stored() == [stored]
    assert table.choices() == choices
    assert table.statuses() == {QueryStatus.ANSWERED}
    with reading(table.store.engine) as connection:
        assert sum(answers.count_standing(connection, table.run_id).values()) == 2


def test_same_key_is_stored_once(table: Table) -> None:
    table.rank("a", "b")
    assert table.rank("b", "a").outcome is Outcome.DUPLICATE
    assert table.stored() == [("abcd", 2)]


def test_undo_takes_both_pairs_back_once(table: Table) -> None:
    table.rank(*"abcd")
    assert table.send("undo-0001", of="rank-0001").outcome is Outcome.SAVED
    assert (table.choices(), table.statuses()) == ([None, None], {QueryStatus.READY})
    assert table.send("undo-0001", of="rank-0001").outcome is Outcome.DUPLICATE
    with pytest.raises(FeedbackError, match="taken back or replaced already"):
        table.send("undo-0002", of="rank-0001")
    assert table.rank(*"dcba", key="rank-0002").outcome is Outcome.SAVED
    assert table.choices() == [Choice.RIGHT, Choice.RIGHT]


def test_undo_leaves_a_pair_that_was_answered_anew(table: Table) -> None:
    table.rank(*"abcd")
    anew = Answer(key="answer-01", query_id=table.pairs[0], choice=Choice.EQUAL)
    record_answer(table.store.engine, table.run_id, table.annotator, anew)
    assert table.send("undo-0001", of="rank-0001").outcome is Outcome.SAVED
    assert table.choices() == [Choice.EQUAL, None]


def test_ranking_of_an_expired_pair_is_late(table: Table) -> None:
    with writing(table.store.engine) as connection:
        queries.set_status(connection, table.pairs[1], QueryStatus.EXPIRED)
    receipt = table.rank(*"abcd")
    assert (receipt.outcome, "expired" in str(receipt.message)) == (Outcome.LATE, True)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": "k" * 61},
        {"key": None},
        {"query_ids": None},
        {"query_ids": ["0" * 32]},
        {"query_ids": ["0" * 32, "1" * 32]},
        {"query_ids": ["0" * 32, 7]},
        {"places": "ab"},
        {"places": [["q", "left"]]},
        {"places": [7]},
        {"places": [[["x"], {}]]},
        {"of": 3},
        {"of": "no-such-ranking"},
    ],
    ids=repr,
)
def test_what_cannot_be_a_ranking_is_refused_and_stores_nothing(table: Table, change: dict[str, Any]) -> None:
    with pytest.raises(FeedbackError):
        table.send(**{"places": [table.clip("a")]} | change)
    assert table.stored() == []
    assert table.choices() == [None, None]


def test_a_clip_has_one_place(table: Table) -> None:
    with pytest.raises(FeedbackError, match="once"):
        table.rank("a", "a")


def test_pairs_that_share_a_clip_are_refused(table: Table) -> None:
    with writing(table.store.engine) as connection:
        shared = queries.get_query(connection, table.pairs[0])["left_id"]
        connection.execute(
            sa.update(schema.queries).where(schema.queries.c.id == table.pairs[1]).values(right_id=shared)
        )
    with pytest.raises(FeedbackError, match="share a clip"):
        table.rank("a")
    assert (table.choices(), table.statuses()) == ([None, None], {QueryStatus.READY})


def test_pair_of_another_run_is_refused(table: Table, make_run: Make, make_query: Make) -> None:
    with pytest.raises(FeedbackError, match="does not belong"):
        table.send(query_ids=[table.pairs[0], make_query(make_run())])
    assert table.choices() == [None, None]


def test_no_browser_can_claim_an_answer_for_a_ranking(table: Table) -> None:
    item = {
        "key": "answer-01",
        "query_id": table.pairs[0],
        "choice": "left",
        "ranking": "x",
        "ratings": [1, 2],
    }
    record_item(table.store.engine, table.run_id, table.annotator, item)
    with reading(table.store.engine) as connection:
        (row,) = answers.standing_answers(connection, table.run_id)
    assert row["details"] == {}
