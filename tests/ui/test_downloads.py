"""Downloads are whole, named, and of answers only."""

import io
import json
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from http_browser import Browser

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def answered(store: Store, run_id: str, make_query: Make, make_annotator: Make) -> str:
    person = make_annotator()
    for index in range(3):
        answer = Answer(key=f"answer-{index}", query_id=make_query(run_id), choice=Choice.LEFT)
        record_answer(store.engine, run_id, person, answer)
    return run_id


def test_everything_is_sent_as_a_zip_file(browser: Browser, answered: str) -> None:
    reply = browser.get(f"/exports/{answered}.zip")
    assert reply.status == 200
    assert reply.headers["content-disposition"] == f'attachment; filename="{answered}.zip"'
    assert reply.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        lines = archive.read("answers.jsonl").splitlines()
        assert not any("true_rewards" in name or name.startswith("clips") for name in archive.namelist())
    assert [json.loads(line)["key"] for line in lines] == ["answer-0", "answer-1", "answer-2"]


def test_table_and_arrays_are_sent(browser: Browser, answered: str) -> None:
    csv, npz = browser.get(f"/exports/{answered}.csv"), browser.get(f"/exports/{answered}.npz")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.body.splitlines()) == 4
    with np.load(io.BytesIO(npz.body), allow_pickle=False) as found:
        assert found["pairs"].shape == (3, 2)


@pytest.mark.parametrize(
    "name", ["nothing.zip", "nothing.csv", "nothing.npz", "{run}.exe", "..%2f..%2fx.zip", "{run}.json"]
)
def test_what_is_not_there_is_not_sent(browser: Browser, answered: str, name: str) -> None:
    reply = browser.get(f"/exports/{name.format(run=answered)}")
    assert reply.status == 404
    assert "content-disposition" not in reply.headers


def test_run_without_answers_has_no_arrays(browser: Browser, run_id: str) -> None:
    reply = browser.get(f"/exports/{run_id}.npz")
    assert (reply.status, "no answers" in reply.json()["error"]) == (404, True)
