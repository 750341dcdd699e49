"""Clips, posters and previews: in parts, cached, and never anything else from the disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from http_browser import Browser

from rlhf.storage import foresights, schema, segments
from rlhf.storage.engine import reading, writing
from rlhf.ui import routes
from rlhf.ui.store import Store, open_store

Make = Callable[..., str]


def _clip_path(store: Store, run_id: str) -> str:
    with reading(store.engine) as connection:
        query = connection.execute(sa.select(schema.queries).where(schema.queries.c.run_id == run_id)).first()
    assert query is not None
    return f"/clips/{query.left_id}"


@pytest.fixture
def clip(store: Store, run_id: str, make_query: Make) -> tuple[str, bytes, bytes]:
    """Address without suffix, and the bytes of clip and poster."""
    make_query(run_id)
    path = _clip_path(store, run_id)
    with reading(store.engine) as connection:
        row = segments.get_segment_row(connection, path.rpartition("/")[2])
    return path, store.blobs.read(row["clip"]), store.blobs.read(row["poster"])


def test_clip_and_poster_are_served_whole(browser: Browser, clip: tuple[str, bytes, bytes]) -> None:
    path, video, picture = clip
    whole, still = browser.get(f"{path}.mp4"), browser.get(f"{path}.png")
    assert (whole.status, whole.headers["content-type"], whole.body) == (200, "video/mp4", video)
    assert (still.status, still.headers["content-type"], still.body) == (200, "image/png", picture)


def test_only_a_clip_that_a_measurement_shows_is_served_as_foreseen(
    browser: Browser, store: Store, run_id: str, clip: tuple[str, bytes, bytes]
) -> None:
    name = store.blobs.write(b"foreseen", "mp4")
    assert browser.get(f"/foreseen/{name}").status == 404
    with writing(store.engine) as connection:
        foresights.begin(connection, run_id)
        foresights.finish(connection, run_id, {}, name)
        secret = segments.get_segment_row(connection, clip[0].rpartition("/")[2])["arrays"]
    assert browser.get(f"/foreseen/{name}").body == b"foreseen"
    assert browser.get(f"/foreseen/{secret}").status == 404


def test_clip_may_be_cached_for_good(browser: Browser, clip: tuple[str, bytes, bytes]) -> None:
    headers = browser.get(f"{clip[0]}.mp4").headers
    assert {"private", "immutable"} <= set(headers["cache-control"].split(", "))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=2000-", 2000, 2048), ("bytes=-48", 2000, 2048)],
)
def test_part_of_a_clip_is_served(
    browser: Browser, clip: tuple[str, bytes, bytes], wanted: str, start: int, stop: int
) -> None:
    reply = browser.get(f"{clip[0]}.mp4", Range=wanted)
    assert (reply.status, reply.body) == (206, clip[1][start:stop])
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(clip[1])}"


def test_range_outside_a_clip_is_refused(browser: Browser, clip: tuple[str, bytes, bytes]) -> None:
    reply = browser.get(f"{clip[0]}.mp4", Range="bytes=5000-6000")
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{len(clip[1])}")


@pytest.mark.parametrize(
    "path",
    [
        f"/clips/{'0' * 32}.mp4",
        f"/clips/{'0' * 32}.png",
        f"/clips/{'A' * 32}.mp4",
        "/clips/..mp4",
        "/clips/....mp4",
        "/clips/../data/rlhf.db",
        "/clips/..%2f..%2frlhf.db.mp4",
        "/clips/%2e%2e/%2e%2e/rlhf.db",
        "/clips/..%5c..%5crlhf.mp4",
        "/clips/%00.mp4",
        f"/foreseen/{'0' * 64}.mp4",
        "/foreseen/..%2frlhf.db",
        "/previews/..mp4",
        "/previews/..%2fREADME.mp4",
        "/previews/../../rlhf.mp4",
        "/previews/no-such-task.mp4",
        "/previews/UPPER.mp4",
    ],
)
def test_unknown_and_tricky_addresses_are_not_found(browser: Browser, store: Store, path: str) -> None:
    assert browser.get(path).status == 404


def test_clip_not_drawn_yet_is_not_found(browser: Browser, run_id: str, make_segment: Make) -> None:
    assert browser.get(f"/clips/{make_segment(run_id, drawn=False)}.mp4").status == 404


def test_clip_whose_file_is_gone_is_not_found(
    browser: Browser, store: Store, clip: tuple[str, bytes, bytes]
) -> None:
    store.blobs.delete(store.blobs.write(clip[1], "mp4"))
    assert browser.get(f"{clip[0]}.mp4").status == 404


def test_clip_that_lives_elsewhere_is_served(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, store: Store, run_id: str, make_segment: Make
) -> None:
    monkeypatch.setenv("RLHF_BLOB_URL", "memory://routes-test")
    segment_id = make_segment(run_id)
    with reading(store.engine) as connection:
        name = segments.get_segment_row(connection, segment_id)["clip"]
    open_store().blobs.write(store.blobs.read(name), "mp4")
    reply = browser.get(f"/clips/{segment_id}.mp4")
    assert (reply.status, reply.body) == (200, store.blobs.read(name))


def test_preview_is_served(browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "some-task.mp4").write_bytes(b"video")
    monkeypatch.setattr(routes, "PREVIEWS", tmp_path)
    reply = browser.get("/previews/some-task.mp4")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"video", "video/mp4")
