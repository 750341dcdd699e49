"""When a map counts as old, and when a new one is ordered."""

from collections.abc import Callable

import pytest
from small_map import small_map, store_map

from rlhf.storage import jobs, maps, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState
from rlhf.ui.map_view import MapView, keep_up, order_map, status_text, view_map
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


def is_ordered(store: Store, run_id: str) -> bool:
    with reading(store.engine) as connection:
        job = jobs.find(connection, JobKind.MAP, run_id)
    return job is not None and job["state"] is JobState.WAITING


def make_old(store: Store, run_id: str) -> None:
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, reward_version=5)


def look(store: Store, run_id: str) -> MapView:
    view = view_map(store, run_id)
    keep_up(store, run_id, view)
    return view


def test_looking_orders_the_first_map(store: Store, run_id: str) -> None:
    view = look(store, run_id)
    assert (view.map_id, view.is_waiting) == (None, False)
    assert is_ordered(store, run_id)
    assert "appears in a moment" in status_text(view_map(store, run_id))


def test_a_map_that_shows_all_is_left_alone(store: Store, run_id: str, make_segment: Make) -> None:
    drawn = small_map([make_segment(run_id), make_segment(run_id)])
    map_id = store_map(store.engine, store.blobs, run_id, drawn)
    view = look(store, run_id)
    assert (view.map_id, view.is_old) == (map_id, False)
    assert not is_ordered(store, run_id)


def test_an_old_map_is_renewed_but_not_at_once_again(
    store: Store, run_id: str, make_segment: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = small_map([make_segment(run_id), make_segment(run_id)])
    store_map(store.engine, store.blobs, run_id, drawn)
    make_old(store, run_id)
    assert look(store, run_id).is_old
    assert not is_ordered(store, run_id)
    monkeypatch.setattr("rlhf.ui.map_view._RENEW_S", 0.0)
    look(store, run_id)
    assert is_ordered(store, run_id)


def test_what_failed_waits_until_somebody_tries_again(store: Store, run_id: str) -> None:
    order_map(store, run_id)
    with writing(store.engine) as connection:
        job = jobs.claim(connection, (JobKind.MAP,), "worker")
        assert job is not None
        jobs.release(
            connection, job["id"], "worker", JobState.FAILED, error="Traceback\n...\nStorageError: gone"
        )
    view = look(store, run_id)
    assert view.error == "StorageError: gone"
    assert not is_ordered(store, run_id)
    assert "gone" in status_text(view)
    order_map(store, run_id)
    assert is_ordered(store, run_id)


def test_work_in_progress_says_how_far_it_is(store: Store, run_id: str, make_segment: Make) -> None:
    drawn = small_map([make_segment(run_id), make_segment(run_id)])
    store_map(store.engine, store.blobs, run_id, drawn)
    with writing(store.engine) as connection:
        row = maps.get_map(connection, run_id)
        assert row is not None
        shown = {"arrays": row["arrays"], "shows": row["shows"]}
        maps.save_map(connection, run_id, **shown, draft="d", num_done=1200, num_segments=3500)
    order_map(store, run_id)
    view = view_map(store, run_id)
    assert view.is_old
    assert "1,200 of 3,500" in status_text(view)
