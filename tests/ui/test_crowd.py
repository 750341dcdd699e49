"""Many annotators at once."""

import threading
import uuid
from collections.abc import Callable

import sqlalchemy as sa
from http_browser import Browser, Reply

from rlhf.storage import queries, schema
from rlhf.storage.engine import reading
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


def test_crowd_of_twenty_loses_and_doubles_nothing(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    """Ten annotators answer fifty pairs each, and every request is sent by two threads at once."""
    pairs = [make_query(run_id) for _ in range(50)]
    people = {
        uuid.uuid4().hex: [{"key": uuid.uuid4().hex, "query_id": pair, "choice": "left"} for pair in pairs]
        for _ in range(10)
    }
    replies: list[Reply] = []

    def post_all(cookie: str) -> None:
        for start in range(0, 50, 10):
            replies.append(browser.post(run_id, people[cookie][start : start + 10], cookie=cookie))

    threads = [threading.Thread(target=post_all, args=(cookie,)) for cookie in people for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 100
    outcomes = [result["outcome"] for reply in replies for result in reply.json()["results"]]
    assert (outcomes.count("saved"), outcomes.count("duplicate"), len(outcomes)) == (500, 500, 1000)
    sent = {(answer["key"], cookie) for cookie, given in people.items() for answer in given}
    with reading(store.engine) as connection:
        columns = (schema.answers.c.key, schema.answers.c.annotator_id)
        stored = [(key, annotator) for key, annotator in connection.execute(sa.select(*columns))]
        assert len(stored) == 500
        assert set(stored) == sent
        assert queries.count_by_status(connection, run_id) == {QueryStatus.ANSWERED: 50}
