"""Who counts as sitting at this computer, and what a request must say to be ours."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request
from starlette.types import Message

from rlhf.errors import ConfigError
from rlhf.loop import admit_people
from rlhf.types.people import Role
from rlhf.ui import gate, origin, routes
from rlhf.ui.access import SIGN_IN_COOKIE, visitor_here, visitor_of
from rlhf.ui.store import Store, open_store


@pytest.fixture(autouse=True)
def app_store(fresh_store: None, store: Store) -> None:
    """Let the web process open the test's store."""


def request(peer: str | None = "127.0.0.1", **headers: str) -> Request:
    sent = {"host": "localhost:8501"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in sent.items() if value]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "client": client})


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8501", "127.0.0.1:80", "127.8.8.8", "[::1]:8501", "a.localhost", "LOCALHOST."],
)
def test_this_computer_is_open_while_nobody_is_invited(host: str) -> None:
    for peer in ("127.0.0.1", "::1"):
        visitor = visitor_of(request(peer, host=host))
        assert (visitor.role, visitor.is_open, visitor.person) == (Role.ADMIN, True, None)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.168.1.7", {}),
        (None, {}),
        ("127.0.0.1", {"host": "studio.example"}),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}),
        ("127.0.0.1", {"host": "localhost.evil.example:8501"}),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"x_real_ip": "127.0.0.1"}),
    ],
    ids=str,
)
def test_whoever_comes_from_elsewhere_or_through_a_proxy_is_a_stranger(
    peer: str | None, headers: dict[str, str]
) -> None:
    visitor = visitor_of(request(peer, **headers))
    assert (visitor.role, visitor.is_open, visitor.annotator_id) == (None, False, None)


def test_an_invitation_makes_everybody_sign_in(store: Store) -> None:
    admit_people.invite(store.engine, Role.ANNOTATOR, now=time.time())
    assert visitor_of(request()).role is None


def test_an_identity_provider_makes_everybody_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlhf.ui.access.has_identity_provider", lambda: True)
    assert visitor_of(request()).role is None


def test_pages_and_routes_know_the_same_person(store: Store, page_cookies: dict[str, str]) -> None:
    signed_in = admit_people.become_admin(store.engine, name="Ann", now=time.time())
    page_cookies["preference_studio_sign_in"] = signed_in.token
    here = visitor_here()
    assert here == visitor_of(request(cookie=f"preference_studio_sign_in={signed_in.token}"))
    assert (here.annotator_id, here.role, here.name) == (signed_in.person_id, Role.ADMIN, "Ann")


def test_an_annotators_cookie_is_no_sign_in(store: Store) -> None:
    signed_in = admit_people.become_admin(store.engine, name="Ann", now=time.time())
    cookie = f"preference_studio_annotator={signed_in.person_id}"
    assert visitor_of(request(cookie=cookie)).role is None
    assert visitor_of(request("10.0.0.1", cookie=cookie)).annotator_id is None


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"origin": "http://localhost:8501"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://behind.a.proxy"}, True),
        ({"sec_fetch_site": "same-site", "origin": "http://localhost:8501"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "http://localhost:1"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://[broken"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_only_our_own_forms_are_taken(headers: dict[str, str], is_ours: bool) -> None:
    assert (origin.forged_form(request(**headers)) is None) is is_ours


def test_a_route_that_says_nothing_about_roles_does_not_start() -> None:
    own = [routes.Route("/healthz", routes.health), routes.Route("/new", routes.health)]
    with pytest.raises(ConfigError, match="/new"):
        gate.guarded(own, {"/healthz": gate.EVERYONE})


def test_a_role_for_a_route_that_is_gone_does_not_start() -> None:
    with pytest.raises(ConfigError, match="/gone"):
        gate.guarded(
            [routes.Route("/healthz", routes.health)], {"/healthz": gate.EVERYONE, "/gone": Role.ADMIN}
        )


def test_a_store_that_cannot_be_read_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_store().engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sign_ins")
        connection.exec_driver_sql("DROP TABLE invitations")
    with pytest.raises(Exception, match="database"):
        visitor_of(request())


@pytest.mark.parametrize("every_s", [0.0, 60.0])
def test_a_websocket_of_many_messages_is_looked_at_now_and_then(store: Store, every_s: float) -> None:
    signed_in = admit_people.become_admin(store.engine, name="Ann", now=time.time())
    cookie = f"{SIGN_IN_COOKIE}={signed_in.token}"
    scope = request(cookie=cookie).scope | {"type": "websocket"}
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.receive", "text": "go on"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    visitor = visitor_of(request(cookie=cookie))
    watch = gate.Watch(scope, receive, send, visitor, every_s=every_s)
    admit_people.sign_out(store.engine, signed_in.token)

    def received() -> str:
        """Receive in a thread of its own: the browser's driver may have a loop running in this one."""
        with ThreadPoolExecutor(1) as thread:
            return str(thread.submit(lambda: asyncio.run(watch.receive())).result()["type"])

    if every_s:
        assert received() == "websocket.receive"
        watch.looked_at = float("-inf")
    assert received() == "websocket.disconnect"
    assert sent == ["websocket.close"]
