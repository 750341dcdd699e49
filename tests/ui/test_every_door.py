"""Every page, route and clip of the real app, asked for by each role and by nobody."""

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from live_app import live_app
from small_map import small_map, store_map
from small_rewards import linear_reward

from app import PAGES
from rlhf.benchmarks.studio_visitor import Visitor
from rlhf.config import Settings
from rlhf.errors import JobError
from rlhf.loop import admit_people
from rlhf.storage import foresights, models, people, queries, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, writing
from rlhf.storage.migrations import migrate
from rlhf.types.experience import Replay, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.people import Role
from rlhf.types.run import QueryStatus
from rlhf.ui.gate import EVERYONE
from rlhf.ui.reward_trace import trace_address
from rlhf.ui.routes import NEEDS


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A running app with two runs, a pair and a replay in each, and a person of every role.

    The annotator may label the first run only.
    """
    data = tmp_path_factory.mktemp("studio") / "data"
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(data)})
    engine, blobs = open_engine(settings.database_url), Blobs(settings.blob_url)
    migrate(engine)
    seeded = [_seed(engine, blobs) for _ in range(2)]
    with live_app(data, worker="external") as app:
        links = {
            role: admit_people.invite(
                engine, role, now=time.time(), run_id=seeded[0].run_id if role is Role.ANNOTATOR else None
            )
            for role in Role
        }
        visitors: dict[Role | None, Visitor] = {None: Visitor(app.url)}
        for role, link in links.items():
            visitors[role] = Visitor(app.url)
            visitors[role].join(link.token, role.value.capitalize())
        yield SimpleNamespace(engine=engine, url=app.url, own=seeded[0], other=seeded[1], visitors=visitors)
        for visitor in visitors.values():
            visitor.close()
    engine.dispose()


def _seed(engine, blobs) -> SimpleNamespace:  # type: ignore[no-untyped-def]
    segment = Segment(
        observations=np.zeros((4, 2), np.float32),
        actions=np.zeros((3, 1), np.float32),
        absorbing=np.zeros(3, np.bool_),
        policy_version=1,
        replay=Replay(reset_seed=3, start=0, sim_states=np.zeros((4, 5))),
    )
    arrays = blobs.write_arrays(segment.to_arrays())
    clip, poster = blobs.write(b"video", "mp4"), blobs.write(b"picture", "png")
    reward = blobs.write_arrays(dict(linear_reward([1.0] * 5).to_arrays()))
    strip = blobs.write(b"strip", "jpg")
    with writing(engine) as connection:
        run_id = runs.insert_run(
            connection,
            task="pendulum-swingup",
            goal="Swing the pendulum up and hold it",
            seed=0,
            teacher=None,
            overrides={},
            total_steps=1000,
        )
        ids = [segments.insert_segment(connection, run_id, segment, arrays, None) for _ in range(3)]
        for one in ids:
            segments.set_clip(
                connection,
                one,
                clip=clip,
                poster=poster,
                strip=strip,
                fps=20.0,
                frames=4,
                ended_at_frame=None,
            )
        query_id = queries.insert_query(
            connection,
            run_id,
            left_id=ids[0],
            right_id=ids[1],
            kind=QueryKind.ACTIVE,
            score=0.5,
            predicted=0.75,
            policy_version=1,
            reward_version=1,
        )
        queries.set_status(connection, query_id, QueryStatus.READY)
        models.insert_reward_version(connection, run_id, 1, arrays=reward, num_answers=1, steps=0, report={})
        models.insert_policy_version(
            connection, run_id, 0, arrays=arrays, steps=0, reward_version=0, num_answers=0
        )
        models.set_evaluation(
            connection,
            run_id,
            0,
            replay_id=ids[2],
            evaluation={"true_returns": [1.0], "predicted_returns": [], "episode_steps": [3]},
        )
        foresights.begin(connection, run_id)
        foresights.finish(connection, run_id, {"clip_fps": 20.0, "clip_frames": 4}, clip)
    name = store_map(engine, blobs, run_id, small_map(ids[:2]))
    return SimpleNamespace(run_id=run_id, clip=ids[0], replay=ids[2], map=name, foreseen=clip)


ROLES: tuple[Role | None, ...] = (None, *Role)
SAMPLES: dict[str, Callable[[SimpleNamespace], tuple[str, str, bytes | None]]] = {
    "/healthz": lambda s: ("GET", "/healthz", None),
    "/join": lambda s: ("GET", "/join", None),
    "/sign-out": lambda s: ("GET", "/sign-out", None),
    "/api/queue": lambda s: ("GET", f"/api/queue?run={s.own.run_id}", None),
    "/api/answers": lambda s: (
        "POST",
        "/api/answers",
        json.dumps({"run": s.own.run_id, "answers": []}).encode(),
    ),
    "/clips/{clip_id}.mp4": lambda s: ("GET", f"/clips/{s.own.clip}.mp4", None),
    "/clips/{clip_id}.png": lambda s: ("GET", f"/clips/{s.own.clip}.png", None),
    "/clips/{clip_id}.jpg": lambda s: ("GET", f"/clips/{s.own.clip}.jpg", None),
    "/previews/{task}.mp4": lambda s: ("GET", "/previews/pendulum-swingup.mp4", None),
    "/foreseen/{clip}": lambda s: ("GET", f"/foreseen/{s.own.foreseen}", None),
    "/api/traces/{run_id}": lambda s: ("GET", f"/{trace_address(s.own.run_id, 1, [s.own.clip])}", None),
    "/exports/{run_id}.{kind}": lambda s: ("GET", f"/exports/{s.own.run_id}.csv", None),
    "/api/map": lambda s: ("GET", f"/api/map?run={s.own.run_id}&map={s.own.map}", None),
    "/api/map/clips": lambda s: (
        "POST",
        "/api/map/clips",
        json.dumps({"run": s.own.run_id, "pieces": [f"{s.own.clip}:0"]}).encode(),
    ),
    "/api/map/questions": lambda s: (
        "POST",
        "/api/map/questions",
        json.dumps({"run": s.own.run_id, "pieces": [f"{s.own.clip}:0"], "count": 1}).encode(),
    ),
}
"""A request of each route's own kind; whoever adds a route adds one here."""
WEBSOCKETS = ("/api/recording",)


def _ask(studio: SimpleNamespace, role: Role | None, path: str) -> int:
    method, address, body = SAMPLES[path](studio)
    headers = {"Content-Type": "application/json"} if body else {}
    return int(studio.visitors[role].request(method, address, body, headers)[0])


def test_every_route_is_walked() -> None:
    assert {*SAMPLES, *WEBSOCKETS} == NEEDS.keys()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", [path for path in SAMPLES if NEEDS[path] is not EVERYONE])
def test_route_serves_whom_its_table_says(studio: SimpleNamespace, path: str, role: Role | None) -> None:
    least = NEEDS[path]
    assert isinstance(least, Role)
    status = _ask(studio, role, path)
    if role is None:
        assert status == 401
    elif not role.includes(least):
        assert status == 403
    else:
        assert status == 200


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", WEBSOCKETS)
def test_websocket_opens_for_whom_its_table_says(
    studio: SimpleNamespace, path: str, role: Role | None
) -> None:
    least = NEEDS[path]
    assert isinstance(least, Role)
    visitor = Visitor(studio.url)
    visitor.cookies = studio.visitors[role].cookies
    try:
        if role is not None and role.includes(least):
            visitor.open_tab(path)
        else:
            with pytest.raises(JobError, match="refuses"):
                visitor.open_tab(path)
    finally:
        visitor.close()


@pytest.mark.parametrize("path", [path for path in SAMPLES if NEEDS[path] is EVERYONE])
def test_route_for_everyone_answers_strangers(studio: SimpleNamespace, path: str) -> None:
    status, body = studio.visitors[None].request("GET", SAMPLES[path](studio)[1])
    assert status in (200, 401)
    assert studio.own.run_id.encode() not in body


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.file)
def test_page_runs_for_whom_its_table_says(studio: SimpleNamespace, entry, role: Role) -> None:  # type: ignore[no-untyped-def]
    visitor = Visitor(studio.url)
    visitor.cookies = studio.visitors[role].cookies
    try:
        visitor.open_tab()
        page = entry.file.removesuffix(".py")
        texts = visitor.show("" if entry is PAGES[0] else page, run=studio.own.run_id)
    finally:
        visitor.close()
    assert (f"navigation: {entry.title}" in texts) is role.includes(entry.needs)
    refusal = f"{entry.title} is not for you"
    shown = [text for text in texts if not text.startswith("navigation: ")]
    if role.includes(entry.needs):
        assert shown
        assert refusal not in shown
    elif entry is PAGES[0]:  # the address of the studio leads to what is theirs
        assert "preference_studio_pair_player" in texts
    else:
        assert shown[0] == refusal
        assert len(shown) == 3  # who may, and where to go instead


@pytest.mark.parametrize(
    "path",
    ["/", "/static/js/index.js", "/_stcore/host-config", "/_stcore/upload_file/a/b", "/media/x.mp4"]
    + [f"/{entry.file.removesuffix('.py')}" for entry in PAGES],
)
def test_strangers_get_a_page_that_says_what_to_do_and_nothing_else(
    studio: SimpleNamespace, path: str
) -> None:
    status, body = studio.visitors[None].request("GET", path)
    assert status == 401
    assert b"Open the link that you were sent" in body


def test_strangers_get_no_websocket(studio: SimpleNamespace) -> None:
    with pytest.raises(JobError, match="refuses"):
        Visitor(studio.url).open_tab()


@pytest.mark.parametrize("suffix", ["mp4", "png"])
@pytest.mark.parametrize("role", ROLES)
def test_clips_are_for_those_who_may_label_the_run(
    studio: SimpleNamespace, role: Role | None, suffix: str
) -> None:
    addresses = (studio.own.clip, studio.own.replay, studio.other.clip, studio.other.replay, "0" * 32)
    statuses = [
        studio.visitors[role].request("GET", f"/clips/{address}.{suffix}")[0] for address in addresses
    ]
    if role is None:
        assert statuses == [401] * 5
    elif role is Role.ANNOTATOR:
        assert statuses == [200, 404, 404, 404, 404]
    else:
        assert statuses == [200, 200, 200, 200, 404]


def test_an_annotators_page_shows_no_other_run(studio: SimpleNamespace) -> None:
    visitor = Visitor(studio.url)
    visitor.cookies = studio.visitors[Role.ANNOTATOR].cookies
    visitor.open_tab()
    texts = visitor.show("label", run=studio.other.run_id)
    visitor.close()
    assert not [text for text in texts if studio.other.run_id in text]


def test_a_tab_left_open_shows_nothing_once_its_person_is_signed_out(studio: SimpleNamespace) -> None:
    link = admit_people.invite(studio.engine, Role.RESEARCHER, now=time.time())
    visitor = Visitor(studio.url)
    visitor.join(link.token, "Rae")
    visitor.open_tab()
    assert visitor.show("reward_model")
    with writing(studio.engine) as connection:
        (person,) = (row for row in people.list_people(connection, time.time()) if row["name"] == "Rae")
    admit_people.sign_out_everywhere(studio.engine, person["id"])
    with pytest.raises(JobError, match="closed"):
        visitor.show("reward_model")
    with pytest.raises(JobError, match="refuses"):
        visitor.open_tab()
    visitor.close()
