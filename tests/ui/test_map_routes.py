"""The routes of the map: points to browsers, clips of some, questions about some."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from http_browser import JSON, Browser, Reply
from small_map import small_map, store_map

from rlhf.storage import jobs, queries, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind, JobState, RunState
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def ids(run_id: str, make_segment: Make) -> list[str]:
    return [make_segment(run_id) for _ in range(6)]


@pytest.fixture
def map_id(store: Store, run_id: str, ids: list[str]) -> str:
    return store_map(store.engine, store.blobs, run_id, small_map(ids))


def send(browser: Browser, path: str, body: Any) -> Reply:
    return browser.send("POST", f"/api/map/{path}", json.dumps(body), JSON)


def unpacked(body: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what the browser's ``Points`` reads."""
    (length,) = struct.unpack_from("<I", body)
    header, at = json.loads(body[4 : 4 + length]), 4 + length
    columns = {}
    number = header["points"]
    kinds = [("place", "<f4", 2), ("reward", "<f4", 1), ("spread", "<f4", 1), ("version", "<i4", 1)]
    kinds += [
        ("start", "<i4", 1),
        ("source", "u1", 1),
        ("verdict", "u1", 1),
        ("id", f"S{header['id_bytes']}", 1),
    ]
    for name, kind, width in kinds:
        columns[name] = np.frombuffer(body, kind, number * width, at)
        at += columns[name].nbytes
    assert at == len(body)
    return header, columns


def test_points_are_sent_as_they_are_stored(
    browser: Browser, run_id: str, ids: list[str], map_id: str
) -> None:
    reply = browser.get(f"/api/map?run={run_id}&map={map_id}")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
    assert {"private", "immutable"} <= set(reply.headers["cache-control"].split(", "))
    header, columns = unpacked(reply.body)
    drawn = small_map(ids)
    assert (header["points"], header["axes"]) == (6, ["more speed", "less height"])
    np.testing.assert_array_equal(columns["place"].reshape(-1, 2), drawn.place)
    np.testing.assert_array_equal(columns["reward"], drawn.reward)
    assert [one.decode() for one in columns["id"]] == ids
    assert columns["version"].tolist() == list(range(6))


@pytest.mark.parametrize("bad", ["0" * 64, "", "../../etc/passwd", "x" * 64])
def test_only_the_map_on_show_is_sent(browser: Browser, run_id: str, map_id: str, bad: str) -> None:
    assert browser.get(f"/api/map?run={run_id}&map={bad}").status == 404
    assert browser.get(f"/api/map?run=nowhere&map={map_id}").status == 404


def test_a_clip_is_found_with_the_part_of_it_that_is_meant(
    store: Store, browser: Browser, run_id: str, ids: list[str], map_id: str
) -> None:
    reply = send(browser, "clips", {"run": run_id, "pieces": [f"{ids[0]}:0", f"{ids[1]}:2"]})
    assert reply.status == 200
    assert reply.json()["clips"] == [
        {"url": f"clips/{ids[0]}.mp4", "fps": 20.0, "first": 0, "last": 3},
        {"url": f"clips/{ids[1]}.mp4", "fps": 20.0, "first": 2, "last": 3},
    ]
    assert browser.get(f"/clips/{ids[0]}.mp4").status == 200


@pytest.mark.usefixtures("map_id")
def test_what_is_not_drawn_is_drawn_next(
    store: Store, browser: Browser, run_id: str, make_segment: Make
) -> None:
    hidden = make_segment(run_id, drawn=False)

    def ask() -> Any:
        return send(browser, "clips", {"run": run_id, "pieces": [f"{hidden}:0"]}).json()["clips"]

    assert ask() == ask() == [{}]
    with reading(store.engine) as connection:
        job = jobs.find(connection, JobKind.DRAW, hidden)
    assert job is not None
    assert job["state"] is JobState.WAITING
    with writing(store.engine) as connection:
        claimed = jobs.claim(connection, (JobKind.DRAW,), "worker")
        assert claimed is not None
        jobs.release(connection, claimed["id"], "worker", JobState.FAILED, error="no paint")
    assert ask() == [{"problem": "This clip cannot be drawn."}]


@pytest.mark.usefixtures("map_id")
def test_segments_of_other_runs_and_of_none_are_unknown(
    browser: Browser, run_id: str, make_run: Make, make_segment: Make
) -> None:
    foreign = make_segment(make_run())
    reply = send(browser, "clips", {"run": run_id, "pieces": [f"{foreign}:0", f"{'0' * 32}:0"]})
    assert (reply.status, reply.json()["clips"]) == (200, [None, None])


@pytest.mark.usefixtures("map_id")
def test_questions_land_in_the_queue(store: Store, browser: Browser, run_id: str, ids: list[str]) -> None:
    pieces = [f"{one}:0" for one in ids]
    reply = send(browser, "questions", {"run": run_id, "pieces": pieces, "count": 2})
    assert (reply.status, reply.json()["asked"]) == (200, 2)
    assert "2 questions come next" in reply.json()["message"]
    with reading(store.engine) as connection:
        assert queries.count_of_kind(connection, run_id, QueryKind.PICKED) == 2
        assert jobs.has_claimable(connection, (JobKind.RENDER,))
        assert [row["kind"] for row in runs.list_events(connection, run_id)] == ["picked"]


@pytest.mark.usefixtures("map_id")
def test_people_are_told_that_a_run_is_over(
    store: Store, browser: Browser, run_id: str, ids: list[str]
) -> None:
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, state=RunState.STOPPED)
    reply = send(browser, "questions", {"run": run_id, "pieces": [f"{ids[0]}:0"], "count": 1})
    assert "This run is over" in reply.json()["message"]


@pytest.mark.usefixtures("map_id")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clips", {"pieces": []}),
        ("clips", {"pieces": "abc:0"}),
        ("clips", {"pieces": ["abc"]}),
        ("clips", {"pieces": ["a" * 32 + ":0"] * 25}),
        ("clips", {}),
        ("questions", {"pieces": ["abc:0"], "count": "2"}),
        ("questions", {"pieces": ["abc:0"], "count": True}),
        ("questions", {"pieces": ["abc:0"], "count": 0}),
        ("questions", {"pieces": ["abc:0"], "count": 1000}),
        ("questions", {"pieces": ["abc:0"], "count": 1}),
        ("questions", {"count": 1}),
    ],
)
def test_nonsense_is_refused_in_words(browser: Browser, run_id: str, path: str, body: dict[str, Any]) -> None:
    reply = send(browser, path, body | {"run": run_id})
    assert reply.status == 400
    assert reply.json()["error"]


@pytest.mark.usefixtures("map_id")
@pytest.mark.parametrize("body", ["", "[]", "{", '{"run": 7}', '{"run": "../x"}', "null", '{"run": null}'])
@pytest.mark.parametrize("path", ["clips", "questions"])
def test_what_no_script_of_ours_sends_is_refused(browser: Browser, path: str, body: str) -> None:
    assert browser.send("POST", f"/api/map/{path}", body, JSON).status == 400


@pytest.mark.usefixtures("map_id")
@pytest.mark.parametrize("path", ["clips", "questions"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain", "X-Preference-Studio": "1"},
        JSON | {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites_can_ask_nothing(
    browser: Browser, run_id: str, ids: list[str], path: str, headers: dict[str, str]
) -> None:
    body = json.dumps({"run": run_id, "pieces": [f"{ids[0]}:0"], "count": 1})
    assert browser.send("POST", f"/api/map/{path}", body, headers).status == 403


def test_a_run_without_a_map_says_so(browser: Browser, run_id: str) -> None:
    for path in ("clips", "questions"):
        reply = send(browser, path, {"run": run_id, "pieces": ["abc:0"], "count": 1})
        assert (reply.status, "no map" in reply.json()["error"]) == (404, True)


def test_a_damaged_map_is_no_crash(store: Store, browser: Browser, run_id: str, map_id: str) -> None:
    path = store.blobs.local_path(f"{map_id}.npz")
    assert path is not None
    path.write_bytes(b"nothing of the kind")
    assert browser.get(f"/api/map?run={run_id}&map={map_id}").status == 503
