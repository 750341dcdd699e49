"""Coming in by a link and going, as a browser meets it."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from http_browser import Browser, Reply

from rlhf.loop import admit_people
from rlhf.loop.admit_people import hash_token
from rlhf.storage import people
from rlhf.storage.engine import reading
from rlhf.types.people import Role
from rlhf.ui import sign_in
from rlhf.ui.access import ANNOTATOR_COOKIE, SIGN_IN_COOKIE
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what other tests tried."""
    monkeypatch.setattr(sign_in, "ATTEMPTS", sign_in.Attempts())


def invite(store: Store, role: Role = Role.ANNOTATOR, **more: object) -> str:
    return admit_people.invite(store.engine, role, now=time.time(), **more).token  # type: ignore[arg-type]


def post(browser: Browser, path: str = "/join", cookie: str = "", **fields: str) -> Reply:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://127.0.0.1:{browser.port}",
    }
    return browser.send("POST", path, urlencode(fields), headers | ({"Cookie": cookie} if cookie else {}))


def cookie_of(reply: Reply) -> str:
    return reply.headers["set-cookie"].split(";")[0]


def test_a_link_is_taken_by_its_button_only(browser: Browser, store: Store) -> None:
    token = invite(store, max_uses=1)
    for _ in range(3):
        page = browser.get(f"/join?token={token}")
        assert page.status == 200
        assert "set-cookie" not in page.headers
    assert post(browser, token=token, name="Ann").status == 303
    assert browser.get(f"/join?token={token}").status == 404


def test_who_joins_gets_a_cookie_that_scripts_cannot_read(browser: Browser, store: Store) -> None:
    reply = post(browser, token=invite(store), name="Ann")
    name, *attributes = reply.headers["set-cookie"].lower().split("; ")
    assert name.startswith(f"{SIGN_IN_COOKIE}=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
    assert "secure" not in attributes
    token = cookie_of(reply).partition("=")[2]
    with reading(store.engine) as connection:
        person = people.signed_in_person(connection, hash_token(token), time.time())
    assert person is not None
    assert (person.name, person.role) == ("Ann", Role.ANNOTATOR)


def test_the_cookie_stays_on_https(browser: Browser, store: Store) -> None:
    body = urlencode({"token": invite(store), "name": "Ann"})
    headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": "https"}
    reply = browser.send("POST", "/join", body, headers)
    assert "; Secure" in reply.headers["set-cookie"]


def test_the_token_is_in_no_address_afterwards(browser: Browser, store: Store, run_id: str) -> None:
    token = invite(store, run_id=run_id)
    page = browser.get(f"/join?token={token}")
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    reply = post(browser, token=token, name="Ann")
    assert reply.headers["location"] == f"label?run={run_id}"
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_what_people_wrote_is_shown_as_text(browser: Browser, store: Store, make_run: Make) -> None:
    evil = "<script>alert(1)</script>"
    signed_in = admit_people.become_admin(store.engine, name=evil, now=time.time())
    with reading(store.engine) as connection:
        by = people.get_person(connection, signed_in.person_id)
    token = invite(store, run_id=make_run(goal=evil), by=by)
    page = browser.get(f"/join?token={token}").body.decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # tab, heading, goal
    assert "<script" not in browser.get("/join?token=%22%3E%3Cscript%3E").body.decode()


def test_a_form_of_another_site_is_refused(browser: Browser, store: Store) -> None:
    body = urlencode({"token": invite(store), "name": "Ann"})
    for headers in ({}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.send("POST", "/join", body, headers).status == 403
        assert browser.send("POST", "/sign-out", b"", headers).status == 403


def test_a_name_is_asked_for_again(browser: Browser, store: Store) -> None:
    reply = post(browser, token=invite(store), name="  ")
    assert reply.status == 400
    assert b"what you want to be called" in reply.body


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"&" * 20, b"token=%ff&name=x", b"a=" + b"x" * 3000])
def test_a_malformed_form_lets_nobody_in(browser: Browser, store: Store, body: bytes) -> None:
    invite(store)
    headers = {"Origin": f"http://127.0.0.1:{browser.port}"}
    assert browser.send("POST", "/join", body, headers).status in (400, 401, 404)


def test_a_long_form_is_cut_off(browser: Browser) -> None:
    assert post(browser, name="x" * 5000).status == 413


def test_who_tries_many_links_has_to_wait(browser: Browser, store: Store) -> None:
    token = invite(store)
    statuses = {browser.get(f"/join?token={number}").status for number in range(30)}
    assert statuses == {404, 429}
    assert browser.get(f"/join?token={token}").status == 429


def test_attempts_are_forgotten_after_a_minute() -> None:
    attempts = sign_in.Attempts()
    for _ in range(30):
        attempts.count("address", 0.0)
    assert attempts.are_too_many("address", 59.0)
    assert not attempts.are_too_many("other", 59.0)
    assert not attempts.are_too_many("address", 61.0)


def test_the_first_admin_keeps_the_answers_given_before(browser: Browser, store: Store, run_id: str) -> None:
    labels = cookie_of(browser.post(run_id, []))
    assert labels.startswith(ANNOTATOR_COOKIE)
    reply = post(browser, cookie=labels, name="Ann")
    assert (reply.status, reply.headers["location"]) == (303, "access")
    token = cookie_of(reply).partition("=")[2]
    with reading(store.engine) as connection:
        person = people.signed_in_person(connection, hash_token(token), time.time())
    assert person is not None
    assert (person.person_id, person.role) == (labels.partition("=")[2], Role.ADMIN)


def test_an_admins_id_in_a_cookie_makes_nobody_an_admin(browser: Browser, store: Store) -> None:
    admin = admit_people.become_admin(store.engine, name="Ann", now=time.time()).person_id
    reply = post(browser, token=invite(store), name="Eve", cookie=f"{ANNOTATOR_COOKIE}={admin}")
    token = cookie_of(reply).partition("=")[2]
    with reading(store.engine) as connection:
        person = people.signed_in_person(connection, hash_token(token), time.time())
    assert person is not None
    assert (person.name, person.role) == ("Eve", Role.ANNOTATOR)


def test_nobody_else_becomes_admin_without_a_link(browser: Browser, store: Store) -> None:
    assert post(browser, name="Ann").status == 303
    assert post(browser, name="Eve").status == 401
    assert b"Become the admin" not in browser.get("/join").body


def test_signing_out_ends_the_sign_in(browser: Browser, store: Store, run_id: str) -> None:
    cookie = cookie_of(post(browser, token=invite(store), name="Ann"))
    queue = f"/api/queue?run={run_id}"
    assert browser.get(queue, Cookie=cookie).status == 200
    assert post(browser, "/sign-out", cookie=cookie).status == 200
    assert browser.get(queue, Cookie=cookie).status == 401


def test_a_signed_out_player_is_told_and_nothing_is_stored(
    browser: Browser, store: Store, run_id: str, make_query: Make
) -> None:
    invite(store)
    answer = {"key": "answer-0001", "query_id": make_query(run_id), "choice": "left"}
    reply = browser.post(run_id, [answer])
    assert reply.status == 401
    assert re.search("signed out", reply.json()["error"])


def test_nobody_is_asked_to_label_a_run_of_others(
    browser: Browser, store: Store, make_run: Make, make_query: Make
) -> None:
    theirs, other = make_run(), make_run()
    pair = make_query(other)
    cookie = cookie_of(post(browser, token=invite(store, run_id=theirs), name="Ann"))
    assert browser.get(f"/api/queue?run={theirs}", Cookie=cookie).status == 200
    assert browser.get(f"/api/queue?run={other}", Cookie=cookie).status == 404
    headers = {"Content-Type": "application/json", "X-Preference-Studio": "1", "Cookie": cookie}
    answer = f'{{"key": "answer-0001", "query_id": "{pair}", "choice": "left"}}'
    for run in (other, theirs):  # nor is a pair taken that belongs to another run
        reply = browser.send("POST", "/api/answers", f'{{"run": "{run}", "answers": [{answer}]}}', headers)
        assert reply.status == 404 or reply.json()["results"][0]["outcome"] == "rejected"
