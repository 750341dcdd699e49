"""Health, queue and answers, as a browser meets them."""

import json
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from http_browser import JSON, Browser, Reply

from rlhf import __version__
from rlhf.storage import jobs, queries, runs, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui import pair_feed, routes
from rlhf.ui.store import Store

Make = Callable[..., str]
OURS = {"X-Preference-Studio": "1"}


def _answer(query_id: str, choice: str = "left", **more: Any) -> dict[str, Any]:
    return {"key": uuid.uuid4().hex, "query_id": query_id, "choice": choice} | more


def _stored(store: Store) -> list[sa.RowMapping]:
    with reading(store.engine) as connection:
        return list(connection.execute(sa.select(schema.answers).order_by(schema.answers.c.id)).mappings())


def _outcomes(reply: Reply) -> list[str]:
    return [result["outcome"] for result in reply.json()["results"]]


def test_health_is_ok_and_names_the_workers(browser: Browser, store: Store) -> None:
    with writing(store.engine) as connection:
        jobs.register_worker(connection, "w", "trainer", 4711, "host")
    reply = browser.get("/healthz")
    assert reply.status == 200
    assert reply.json() == {
        "status": "ok",
        "version": __version__,
        "workers": {"trainer": 4711},
        "database": "ok",
    }


def test_health_fails_when_the_database_cannot_be_opened(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "file" / "data"))
    reply = browser.get("/healthz")
    assert (reply.status, reply.json()["status"], reply.json()["database"]) == (
        503,
        "failing",
        "StorageError",
    )


def test_health_fails_when_the_database_is_of_a_newer_program(browser: Browser, store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema.migrations.insert().values(name="9999_future", applied_at=0.0))
    assert browser.get("/healthz").status == 503


def test_queue_gives_pairs_as_the_player_needs_them(browser: Browser, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    reply = browser.get(f"/api/queue?run={run_id}", **OURS)
    (pair,) = reply.json()["queue"]
    assert (reply.status, pair["query_id"]) == (200, query_id)
    assert pair["left"].keys() == pair["right"].keys() == {"url", "poster", "fps", "frames", "ended_at"}
    assert pair["reason"] == pair_feed.WHY[QueryKind.ACTIVE]
    assert browser.get("/" + pair["left"]["url"]).status == 200
    assert browser.get("/" + pair["right"]["poster"]).status == 200


def test_nothing_the_model_thinks_of_a_pair_reaches_the_browser(
    browser: Browser, run_id: str, make_query: Make
) -> None:
    """Each key here is known not to depend on which clip the model prefers."""
    make_query(run_id)
    (pair,) = browser.get(f"/api/queue?run={run_id}", **OURS).json()["queue"]
    assert pair.keys() == {"query_id", "left", "right", "reason", "reward_version", "policy_version"}


def test_every_kind_of_pair_says_why_in_one_sentence() -> None:
    assert pair_feed.WHY.keys() == set(QueryKind)
    assert all(why.count(".") == 1 and why.endswith(".") for why in pair_feed.WHY.values())


def test_own_answers_come_back_with_their_pairs(browser: Browser, run_id: str, make_query: Make) -> None:
    cookie = uuid.uuid4().hex
    first, second = make_query(run_id), make_query(run_id)
    sent = [
        _answer(first, "left", strength=2, tags=["smoother"], comment="so calm", plays=3, is_swapped=True),
        _answer(second, "equal", both_bad=True, shown_at=5.0, answered_at=7.5),
    ]
    browser.post(run_id, sent, cookie=cookie)
    own = {"Cookie": f"{routes.COOKIE}={cookie}"}
    got = browser.get(f"/api/queue?run={run_id}&history=1", **own).json()["history"]
    pairs = [entry.pop("query") for entry in got]
    assert [pair["query_id"] for pair in pairs] == [first, second]
    assert browser.get("/" + pairs[0]["left"]["poster"]).status == 200
    nothing = {"shown_at": None, "answered_at": None, "is_swapped": False}
    assert got == [
        nothing
        | {"key": sent[0]["key"], "choice": "left", "is_swapped": True}
        | {"strength": 2, "tags": ["smoother"], "comment": "so calm"},
        {"key": sent[1]["key"], "choice": "equal", "is_swapped": False, "both_bad": True}
        | {"shown_at": 5.0, "answered_at": 7.5},
    ]


def test_nobody_gets_the_answers_of_somebody_else(browser: Browser, run_id: str, make_query: Make) -> None:
    browser.post(run_id, [_answer(make_query(run_id))], cookie=uuid.uuid4().hex)
    other = {"Cookie": f"{routes.COOKIE}={uuid.uuid4().hex}"}
    assert browser.get(f"/api/queue?run={run_id}&history=1", **other).json()["history"] == []


def test_queue_is_not_kept_in_a_cache(browser: Browser, run_id: str) -> None:
    assert browser.get(f"/api/queue?run={run_id}", **OURS).headers["cache-control"] == "no-store"


def test_queue_is_only_as_long_as_needed(browser: Browser, run_id: str, make_query: Make) -> None:
    made = [make_query(run_id) for _ in range(pair_feed.PREFETCH + 2)]
    first = browser.get(f"/api/queue?run={run_id}", **OURS)
    cookie = first.headers["set-cookie"].split(";")[0]
    assert [pair["query_id"] for pair in first.json()["queue"]] == made[: pair_feed.PREFETCH]
    have = ",".join(made[1 : pair_feed.PREFETCH])
    more = browser.send("GET", f"/api/queue?run={run_id}&have={have}", headers={"Cookie": cookie})
    assert [pair["query_id"] for pair in more.json()["queue"]] == [made[0]]


def test_address_embedded_by_another_site_takes_no_pairs(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    query_id = make_query(run_id)
    reply = browser.get(f"/api/queue?run={run_id}")
    assert (reply.status, reply.json()["queue"], reply.json()["status"]["ready"]) == (200, [], 1)
    assert "set-cookie" not in reply.headers
    with reading(store.engine) as connection:
        assert queries.get_query(connection, query_id)["leased_to"] is None
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.annotators)) == 0


def test_browser_with_a_cookie_of_ours_gets_pairs(browser: Browser, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    reply = browser.get(f"/api/queue?run={run_id}", Cookie=f"{routes.COOKIE}={uuid.uuid4().hex}")
    assert [pair["query_id"] for pair in reply.json()["queue"]] == [query_id]


def test_status_counts_what_stands(browser: Browser, store: Store, run_id: str, make_query: Make) -> None:
    first, second, _ = (make_query(run_id) for _ in range(3))
    with writing(store.engine) as connection:
        runs.update_run(
            connection, run_id, steps=123, reward_version=4, policy_version=5, message="Learning."
        )
        for steps, accuracy in ((50, 0.5), (100, 0.75)):
            runs.add_measurements(connection, run_id, steps, {"reward/audit_accuracy": accuracy})
    status = browser.post(run_id, [_answer(first), _answer(second, "skip")]).json()["status"]
    assert status == {
        "answers": 2,
        "skipped": 1,
        "ready": 1,
        "state": "created",
        "reward_version": 4,
        "policy_version": 5,
        "steps": 123,
        "message": "Learning.",
        "audit_accuracy": 0.75,
        "unseen_accuracy": None,
    }


def test_error_of_a_run_is_shown_before_its_message(browser: Browser, store: Store, run_id: str) -> None:
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, error="It broke.")
    assert browser.get(f"/api/queue?run={run_id}").json()["status"]["message"] == "It broke."


@pytest.mark.parametrize("path", ["/api/queue?run=gone", "/api/queue", "/api/queue?run=%ff%00"])
def test_queue_of_an_unknown_run_is_not_found(browser: Browser, path: str) -> None:
    assert browser.get(path).status == browser.get(path, **OURS).status == 404


def test_answers_are_stored_and_acknowledged(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    answered, waiting = make_query(run_id), make_query(run_id)
    sent = _answer(answered, "right")
    reply = browser.post(run_id, [sent])
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.json()["results"] == [{"key": sent["key"], "outcome": "saved", "message": None}]
    assert [pair["query_id"] for pair in reply.json()["queue"]] == [waiting]
    assert [(row["key"], row["choice"]) for row in _stored(store)] == [(sent["key"], Choice.RIGHT)]


def test_post_without_answers_only_tops_the_queue_up(browser: Browser, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    reply = browser.post(run_id, [])
    assert [pair["query_id"] for pair in reply.json()["queue"]] == [query_id]


def test_pairs_the_browser_has_are_not_sent_again(browser: Browser, run_id: str, make_query: Make) -> None:
    had, new = make_query(run_id), make_query(run_id)
    reply = browser.post(run_id, [], have=[had, "nonsense", None])
    assert [pair["query_id"] for pair in reply.json()["queue"]] == [new]


def test_retry_is_acknowledged_as_duplicate(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    sent = _answer(make_query(run_id))
    assert _outcomes(browser.post(run_id, [sent])) == ["saved"]
    assert _outcomes(browser.post(run_id, [sent])) == ["duplicate"]
    assert len(_stored(store)) == 1


def test_undo_opens_the_pair_again(browser: Browser, run_id: str, make_query: Make) -> None:
    sent, cookie = _answer(make_query(run_id)), uuid.uuid4().hex
    browser.post(run_id, [sent], cookie=cookie)
    reply = browser.post(run_id, [_answer(sent["query_id"], "undo", of=sent["key"])], cookie=cookie)
    assert _outcomes(reply) == ["saved"]
    assert [pair["query_id"] for pair in reply.json()["queue"]] == [sent["query_id"]]


def test_late_answer_is_acknowledged_as_late(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    reply = browser.post(run_id, [_answer(make_query(run_id, status=QueryStatus.EXPIRED))])
    assert _outcomes(reply) == ["late"]
    assert reply.json()["status"]["answers"] == 1
    assert [row["is_late"] for row in _stored(store)] == [True]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        7,
        [],
        {},
        {"key": "short"},
        {"key": "\ud800"},
        {"choice": ["left"]},
        {"query_id": "\ud800"},
        {"query_id": "f" * 32},
        {"choice": "undo", "of": "no-such-key"},
    ],
    ids=ascii,
)
def test_bad_answer_does_not_cost_the_good_ones_beside_it(
    browser: Browser, store: Store, run_id: str, make_query: Make, bad: Any
) -> None:
    query_id = make_query(run_id)
    broken = _answer(query_id) | bad if isinstance(bad, dict) and bad else bad
    good = [_answer(query_id), _answer(make_query(run_id))]
    reply = browser.post(run_id, [good[0], broken, good[1]])
    assert reply.status == 200
    assert _outcomes(reply) == ["saved", "rejected", "saved"]
    assert [row["key"] for row in _stored(store)] == [answer["key"] for answer in good]


def test_new_browser_gets_a_cookie_that_scripts_cannot_read(browser: Browser, run_id: str) -> None:
    name, *attributes = browser.post(run_id, []).headers["set-cookie"].lower().split("; ")
    assert name.startswith(f"{routes.COOKIE}=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)


def test_cookie_makes_answers_one_annotators(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    first = browser.post(run_id, [_answer(make_query(run_id))])
    cookie = first.headers["set-cookie"].split(";")[0].split("=")[1]
    second = browser.post(run_id, [_answer(make_query(run_id))], cookie=cookie)
    assert "set-cookie" not in second.headers
    assert {row["annotator_id"] for row in _stored(store)} == {cookie}


@pytest.mark.parametrize("cookie", ["../../x", "A" * 32, "0" * 31, "'; DROP TABLE runs"])
def test_made_up_cookie_is_replaced(browser: Browser, run_id: str, cookie: str) -> None:
    assert "set-cookie" in browser.post(run_id, [], cookie=cookie).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "X-Preference-Studio": "0"},
        {"Content-Type": "text/plain", "X-Preference-Studio": "1"},
        {"X-Preference-Studio": "1"},
        JSON | {"Origin": "https://elsewhere.example"},
        JSON | {"Origin": "null"},
        JSON | {"Origin": "http://[broken"},
        JSON | {"Origin": "http://127.0.0.1:1"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_forged_request_is_refused(
    browser: Browser, store: Store, run_id: str, make_query: Make, headers: dict[str, str]
) -> None:
    body = json.dumps({"run": run_id, "answers": [_answer(make_query(run_id))]})
    assert browser.send("POST", "/api/answers", body, headers).status == 403
    assert _stored(store) == []


def test_request_of_our_own_page_is_accepted(browser: Browser, run_id: str) -> None:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Preference-Studio": "1",
        "Origin": f"http://127.0.0.1:{browser.port}",
    }
    body = json.dumps({"run": run_id, "answers": []})
    assert browser.send("POST", "/api/answers", body, headers).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"run": "x"}',
        b'{"answers": []}',
        b'{"run": "x", "answers": {}}',
        b'{"run": "x", "answers": null}',
        b'{"run": 7, "answers": []}',
        b'{"run": "\\ud800", "answers": []}',
        b'{"run": "x", "answers": [], "have": 7}',
        b"[" * 100_000,
        b'{"run": ' + b"9" * 5000 + b', "answers": []}',
    ],
    ids=lambda body: repr(body)[:40],
)
def test_malformed_request_is_refused(browser: Browser, body: bytes) -> None:
    reply = browser.send("POST", "/api/answers", body, JSON)
    assert reply.status == 400
    assert "not understood" in reply.json()["error"]


def test_deeply_nested_detail_does_not_break_the_request(
    browser: Browser, run_id: str, make_query: Make
) -> None:
    for depth in range(100, 1000, 100):
        answer = json.dumps(_answer(make_query(run_id)))[:-1] + f', "odd": {"[" * depth}{"]" * depth}}}'
        body = f'{{"run": "{run_id}", "answers": [{answer}]}}'
        assert browser.send("POST", "/api/answers", body, JSON).status in (200, 400), depth


def test_too_many_answers_are_refused(browser: Browser, store: Store, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    assert browser.post(run_id, [_answer(query_id) for _ in range(501)]).status == 400
    assert _stored(store) == []


def test_too_large_request_is_refused(browser: Browser, run_id: str) -> None:
    assert browser.post(run_id, [], padding="x" * 1_000_000).status == 413


def test_endless_request_is_cut_off(browser: Browser) -> None:
    """Sent in pieces without a length: the server must not collect it all first."""
    sent = 0
    with socket.create_connection(("127.0.0.1", browser.port), timeout=20) as connection:
        lines = ["POST /api/answers HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in JSON.items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        connection.settimeout(0.001)
        reply = b""
        while not reply and sent < 200_000_000:
            connection.settimeout(20)
            try:
                connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                sent += 0x10000
                connection.settimeout(0.001)
                reply = connection.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
    assert sent < 50_000_000
    assert not reply or reply.startswith(b"HTTP/1.1 413")


def test_answers_of_an_unknown_run_are_not_found(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    assert browser.post("gone", [_answer(make_query(run_id))]).status == 404
    assert _stored(store) == []


def test_answers_cannot_be_sent_by_an_address_alone(browser: Browser) -> None:
    assert browser.get("/api/answers").status == 405
