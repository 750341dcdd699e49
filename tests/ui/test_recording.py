"""Recording through the web server: real sockets, a real demonstrator process, no browser."""

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rlhf.storage import demonstrations, jobs
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.run import JobKind
from rlhf.ui import recording, routes
from rlhf.ui.store import Store, open_store
from rlhf.worker.demonstration_wire import PICTURE_HEAD
from rlhf.worker.renderer import call_demonstrator

TIMEOUT_S = 60.0


@pytest.fixture
def store(fresh_store: None) -> Store:
    """The store that the routes open."""
    return open_store()


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run(task="cartpole-balance", goal="Balance the pole")


@pytest.fixture
def url() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            Starlette(routes=routes.routes()), log_level="warning", ws="websockets-sansio", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/api/recording"
        server.should_exit = True
        thread.join(20)


class Person:
    """Somebody at a browser, seen from the socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pictures: list[int] = []

    def say(self, kind: str, **more: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **more}))

    def hear(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Wait for a word, acknowledging the pictures that come before it."""
        while True:
            message = self.connection.recv(TIMEOUT_S)
            if isinstance(message, bytes):
                number, step = PICTURE_HEAD.unpack(message[: PICTURE_HEAD.size])
                assert message[PICTURE_HEAD.size :].startswith(b"\xff\xd8")  # a JPEG
                self.pictures.append(step)
                with contextlib.suppress(ConnectionClosed):  # as in a browser; what was sent is still read
                    self.say("seen", number=number)
                continue
            word = dict(json.loads(message))
            if word["type"] == kind and facts.items() <= word.items():
                return word


def start_demonstrator(store: Store) -> subprocess.Popen[str]:
    """Do the renderer's part."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with writing(store.engine) as connection:
            job = jobs.claim(connection, (JobKind.RECORD,), "test")
        if job is not None:
            return call_demonstrator(job)
        time.sleep(0.01)
    raise AssertionError("no recording was asked for")


def test_an_episode_is_acted_and_kept_only_when_the_person_says_so(
    url: str, store: Store, run_id: str
) -> None:
    with connect(f"{url}?run={run_id}") as connection:
        start_demonstrator(store)
        person = Person(connection)
        about = person.hear("about")
        assert [control["key"] for control in about["controls"]] == ["ArrowLeft", "ArrowRight"]
        person.hear("state", phase="ready")
        person.say("hold", controls=[1])
        person.say("run")
        over = person.hear("state", phase="over")
        assert over["terminated"]
        person.say("discard")
        person.hear("state", phase="ready", steps=0)
        with reading(store.engine) as read:
            assert demonstrations.list_demonstrations(read, run_id) == []
        person.say("hold", controls=[0])
        person.say("run")
        over = person.hear("state", phase="over")
        person.say("keep")
        kept = person.hear("kept")
        person.hear("state", phase="ready", steps=0)
    with reading(store.engine) as read:
        (row,) = demonstrations.list_demonstrations(read, run_id)
    assert (row["id"], row["num_steps"]) == (kept["id"], over["steps"])
    assert (row["source"], row["terminated"]) == (DemonstrationSource.PERSON, True)
    assert row["annotator_id"] is not None
    # Every step had its picture, in order: both episodes', and one at each of the three starts.
    assert person.pictures.count(0) == 3
    assert (
        sum(b - a == 1 for a, b in zip(person.pictures, person.pictures[1:], strict=False)) >= over["steps"]
    )


def test_nothing_is_stepped_while_pictures_are_not_seen(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}") as connection:
        start_demonstrator(store)
        person = Person(connection)
        person.hear("state", phase="ready")
        person.say("run")
        deadline = time.monotonic() + 1.0
        shown = 0
        while (left := deadline - time.monotonic()) > 0:
            try:
                shown += isinstance(connection.recv(left), bytes)
            except TimeoutError:
                break
        assert shown <= 3


def test_a_killed_simulator_loses_the_episode_in_the_making_and_says_so(
    url: str, store: Store, run_id: str
) -> None:
    with connect(f"{url}?run={run_id}") as connection:
        process = start_demonstrator(store)
        person = Person(connection)
        person.hear("state", phase="ready")
        person.say("run")
        person.hear("state", phase="over")
        person.say("keep")
        person.hear("kept")
        process.kill()
        assert "lost" in person.hear("ended")["message"]
    with reading(store.engine) as read:
        assert len(demonstrations.list_demonstrations(read, run_id)) == 1


def test_the_simulator_ends_when_the_browser_leaves(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}") as connection:
        process = start_demonstrator(store)
        Person(connection).hear("state", phase="ready")
    process.wait(TIMEOUT_S)


def test_two_people_record_at_once(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}") as one, connect(f"{url}?run={run_id}") as other:
        people = [Person(one), Person(other)]
        for _ in people:
            start_demonstrator(store)
        for person in people:
            person.hear("state", phase="ready")
            person.say("hold", controls=[1])
            person.say("run")
        for person in people:
            person.hear("state", phase="over")
            person.say("keep")
            person.hear("kept")
    with reading(store.engine) as read:
        rows = demonstrations.list_demonstrations(read, run_id)
    assert len({row["annotator_id"] for row in rows}) == 2


def test_words_that_mean_nothing_are_refused_and_nothing_is_lost(url: str, store: Store, run_id: str) -> None:
    bad = ["", "[]", "{", '{"type": "hold", "controls": [-1]}', '{"type": "speed", "value": 9}', "x" * 3000]
    with connect(f"{url}?run={run_id}") as connection:
        start_demonstrator(store)
        person = Person(connection)
        person.hear("state", phase="ready")
        for text in bad:
            connection.send(text)
            person.hear("problem")
        person.say("hold", controls=[7])  # well-formed, but there are two controls
        person.say("run")
        person.hear("state", phase="over")
        person.say("keep")
        person.hear("kept")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "'run' must be"),
        ("run=none-such", "there is no run"),
        ("run={run}&segment=../../x&frame=1", "'segment' must be"),
        ("run={run}&segment=" + "0" * 32 + "&frame=-1", "'segment' must be"),
    ],
)
def test_wishes_that_cannot_be_met_say_why(
    url: str, store: Store, run_id: str, query: str, message: str
) -> None:
    with connect(f"{url}?{query.format(run=run_id)}") as connection:
        assert message in Person(connection).hear("ended")["message"]
    with reading(store.engine) as read:
        assert not jobs.has_claimable(read, (JobKind.RECORD,))


def test_clip_that_is_not_there_cannot_be_taken_over(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}&segment={'0' * 32}&frame=3") as connection:
        start_demonstrator(store)
        assert "there is no segment" in Person(connection).hear("ended")["message"]


def test_another_sites_page_cannot_record(url: str, store: Store, run_id: str) -> None:
    with (
        pytest.raises(InvalidStatus),
        connect(f"{url}?run={run_id}", origin="http://elsewhere.example"),  # type: ignore[arg-type]
    ):
        pass
    with reading(store.engine) as read:
        assert not jobs.has_claimable(read, (JobKind.RECORD,))


def test_whoever_leaves_before_a_worker_came_is_not_waited_for(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}"):
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            with reading(store.engine) as read:
                if jobs.has_claimable(read, (JobKind.RECORD,)):
                    break
            time.sleep(0.01)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with reading(store.engine) as read:
            if not jobs.has_claimable(read, (JobKind.RECORD,)):
                return
        time.sleep(0.01)
    raise AssertionError("the job still waits")


def test_no_worker_is_said_after_a_while(
    url: str, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAIT_S", 0.05)
    with connect(f"{url}?run={run_id}") as connection:
        assert "worker" in Person(connection).hear("ended")["message"]


def test_a_demonstrator_without_the_token_is_turned_away(url: str, store: Store, run_id: str) -> None:
    with connect(f"{url}?run={run_id}") as connection:
        deadline = time.monotonic() + TIMEOUT_S
        job = None
        while job is None and time.monotonic() < deadline:
            with writing(store.engine) as write:
                job = jobs.claim(write, (JobKind.RECORD,), "test")
        assert job is not None
        stranger = dict(job) | {"subject": job["subject"].partition("-")[0] + "-" + "0" * 32}
        call_demonstrator(stranger).wait(TIMEOUT_S)  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            connection.recv(0.2)
        call_demonstrator(job)
        Person(connection).hear("state", phase="ready")
