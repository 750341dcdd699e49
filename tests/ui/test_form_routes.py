"""Rankings and ratings, as a browser sends them beside answers to pairs."""

import uuid
from collections.abc import Callable
from typing import Any

from http_browser import Browser

from rlhf.storage import answers, ratings
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


def _item(**fields: Any) -> dict[str, Any]:
    return {"key": uuid.uuid4().hex, "plays": 2, "speed": 1} | fields


def test_answers_rankings_and_ratings_come_in_one_request(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    pair, first, second, rated = (make_query(run_id) for _ in range(4))
    sent = [
        _item(query_id=pair, choice="left"),
        _item(form="ranking", query_ids=[first, second], places=[[second, "left"], [first, "right"]]),
        _item(form="rating", query_id=rated, side="left", rating=4),
        _item(form="essay", query_id=rated),
        _item(form="ranking", query_ids=[first, "f" * 32], places=[]),
        _item(form="rating", query_id=rated, side="right", rating=2),
    ]
    cookie = uuid.uuid4().hex
    reply = browser.post(run_id, sent, cookie=cookie).json()
    outcomes = [result["outcome"] for result in reply["results"]]
    assert outcomes == ["saved", "saved", "saved", "rejected", "rejected", "saved"]
    assert [result["key"] for result in reply["results"]] == [item["key"] for item in sent]
    assert (reply["queue"], reply["status"]["answers"]) == ([], 4)
    with reading(store.engine) as connection:
        standing = {row["query_id"]: row for row in answers.standing_answers(connection, run_id)}
        assert [row["rating"] for row in ratings.list_standing_ratings(connection, run_id)] == [4, 2]
    assert {query: row["choice"] for query, row in standing.items()} == {
        pair: Choice.LEFT,
        first: Choice.RIGHT,
        second: Choice.LEFT,
        rated: Choice.LEFT,
    }
    assert standing[first]["details"]["plays"] == 2
    again = browser.post(run_id, sent, cookie=cookie).json()["results"]
    assert [result["outcome"] for result in again].count("duplicate") == 4
