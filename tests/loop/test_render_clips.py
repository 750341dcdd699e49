from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from rlhf.clips.encode import decode_mp4
from rlhf.errors import RenderError
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.render_clips import ClipMaker
from rlhf.loop.session import open_session
from rlhf.storage import queries, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

UNDRAWABLE = "BrokenRender-v0"


class BrokenRenderEnv(gymnasium.Env[Any, Any]):  # type: ignore[misc]  # Gymnasium is untyped here
    """Walks along a line; says that it can be drawn, and cannot."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012  # Gymnasium's own form

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(-100.0, 100.0, (1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)
        self._at = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._at = float(self.np_random.uniform(-1, 1))
        return np.array([self._at], np.float32), {}

    def step(self, action: Any) -> Any:
        self._at += 0.1 if action else -0.1
        return np.array([self._at], np.float32), -abs(self._at), False, False, {}

    def render(self) -> Any:
        raise ValueError("the paint has run dry")


@pytest.fixture
def undrawable_task() -> Iterator[str]:
    gymnasium.register(UNDRAWABLE, BrokenRenderEnv, max_episode_steps=100)
    yield f"gym:{UNDRAWABLE}"
    del gymnasium.registry[UNDRAWABLE]


@pytest.fixture
def clips(store: Store) -> Iterator[ClipMaker]:
    maker = ClipMaker(store.engine, store.blobs)
    yield maker
    maker.close()


def open_queries(store: Store, run_id: str) -> list[str]:
    """Let a run explore and return the queries that it asks people."""
    session = open_session(store.engine, store.blobs, run_id)
    assert iterate(session) is Turn.WAITING
    with reading(store.engine) as connection:
        return [row["id"] for row in queries.list_open(connection, run_id)]


def status_of(store: Store, query_id: str) -> QueryStatus:
    with reading(store.engine) as connection:
        status: QueryStatus = queries.get_query(connection, query_id)["status"]
        return status


def test_a_query_is_ready_when_both_clips_are_drawn(
    store: Store, new_small_run: Callable[..., str], clips: ClipMaker
) -> None:
    query_id = open_queries(store, new_small_run(**{"schedule.open_queries": 4}))[0]
    assert status_of(store, query_id) is QueryStatus.RENDERING
    clips.render_query(query_id)
    with reading(store.engine) as connection:
        query = queries.get_query(connection, query_id)
        rows = [segments.get_segment_row(connection, query[side]) for side in ("left_id", "right_id")]
    assert query["status"] is QueryStatus.READY
    assert query["ready_at"] is not None
    for row in rows:
        frames = decode_mp4(store.blobs.read(row["clip"]))
        assert len(frames) == row["clip_frames"] == 51
        assert store.blobs.read(row["poster"]).startswith(b"\x89PNG")


def test_a_clip_of_an_episode_that_ended_says_at_which_frame(
    store: Store, new_small_run: Callable[..., str], clips: ClipMaker
) -> None:
    query_id = open_queries(store, new_small_run("cartpole-balance", **{"schedule.open_queries": 4}))[0]
    clips.render_query(query_id)
    with reading(store.engine) as connection:
        for side in ("left_id", "right_id"):
            segment_id = queries.get_query(connection, query_id)[side]
            row = segments.get_segment_row(connection, segment_id)
            segment = segments.load_segment(connection, store.blobs, segment_id)
            ended = segment.num_real_steps + 1 if segment.absorbing.any() else None
            assert row["ended_at_frame"] == ended


def test_drawing_again_keeps_the_clips(
    store: Store, new_small_run: Callable[..., str], clips: ClipMaker
) -> None:
    query_id = open_queries(store, new_small_run(**{"schedule.open_queries": 4}))[0]
    clips.render_query(query_id)
    with reading(store.engine) as connection:
        left_id = queries.get_query(connection, query_id)["left_id"]
        before = segments.get_segment_row(connection, left_id)["clip"]
    with writing(store.engine) as connection:
        queries.set_status(connection, query_id, QueryStatus.RENDERING)
    clips.render_query(query_id)
    with reading(store.engine) as connection:
        assert segments.get_segment_row(connection, left_id)["clip"] == before
    assert status_of(store, query_id) is QueryStatus.READY


@pytest.mark.parametrize("status", [QueryStatus.EXPIRED, QueryStatus.ANSWERED])
def test_a_query_that_nobody_waits_for_is_not_drawn(
    status: QueryStatus, store: Store, new_small_run: Callable[..., str], clips: ClipMaker
) -> None:
    query_id = open_queries(store, new_small_run(**{"schedule.open_queries": 4}))[0]
    with writing(store.engine) as connection:
        queries.set_status(connection, query_id, status)
    clips.render_query(query_id)
    assert status_of(store, query_id) is status
    with reading(store.engine) as connection:
        left_id = queries.get_query(connection, query_id)["left_id"]
        assert segments.get_segment_row(connection, left_id)["clip"] is None


def test_a_query_that_expires_while_it_is_drawn_stays_expired(
    store: Store, new_small_run: Callable[..., str], clips: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    query_id = open_queries(store, new_small_run(**{"schedule.open_queries": 4}))[0]
    draw = clips.render_segments

    def draw_and_expire(*arguments: Any) -> None:
        draw(*arguments)
        with writing(store.engine) as connection:
            queries.set_status(connection, query_id, QueryStatus.EXPIRED)

    monkeypatch.setattr(clips, "render_segments", draw_and_expire)
    clips.render_query(query_id)
    assert status_of(store, query_id) is QueryStatus.EXPIRED


def test_a_query_that_cannot_be_drawn_has_failed(
    store: Store, new_small_run: Callable[..., str], clips: ClipMaker, undrawable_task: str
) -> None:
    query_id = open_queries(store, new_small_run(undrawable_task, **{"schedule.open_queries": 4}))[0]
    with pytest.raises(RenderError, match=r"BrokenRender-v0.*the paint has run dry"):
        clips.render_query(query_id)
    assert status_of(store, query_id) is QueryStatus.FAILED
