"""Curves in the store, read back from the files as TensorBoard's own format defines them."""

import struct
from collections.abc import Callable
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event

from rlhf.storage import runs
from rlhf.storage.engine import writing
from rlhf.ui.store import Store
from rlhf.worker.event_files import EventFiles


def read_points(folder: Path) -> list[tuple[str, int, float]]:
    """Read records of (length, CRC of it, bytes, CRC of those)."""
    points = []
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            points += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += length + 16
    return points


def add_point(store: Store, run_id: str, steps: int, value: float) -> None:
    with writing(store.engine) as connection:
        runs.add_measurements(connection, run_id, steps, {"policy/entropy": value})


def test_each_point_of_the_store_is_written_once(
    store: Store, make_run: Callable[..., str], tmp_path: Path
) -> None:
    run_id, folder = make_run(), tmp_path / "curves"
    add_point(store, run_id, 100, 1.5)
    files = EventFiles(store.engine, run_id, folder, from_steps=0)
    files.update()
    add_point(store, run_id, 200, 1.25)
    files.close()
    assert read_points(folder) == [("policy/entropy", 100, 1.5), ("policy/entropy", 200, 1.25)]


def test_going_on_from_a_checkpoint_adds_only_what_comes_after(
    store: Store, make_run: Callable[..., str], tmp_path: Path
) -> None:
    run_id, folder = make_run(), tmp_path / "curves"
    for steps in (100, 200):
        add_point(store, run_id, steps, 0.5)
    EventFiles(store.engine, run_id, folder, from_steps=100).close()
    assert read_points(folder) == [("policy/entropy", 200, 0.5)]


def test_a_folder_that_cannot_be_made_stops_nothing(
    store: Store, make_run: Callable[..., str], tmp_path: Path
) -> None:
    run_id = make_run()
    (tmp_path / "file").write_text("in the way")
    add_point(store, run_id, 100, 0.5)
    EventFiles(store.engine, run_id, tmp_path / "file" / "curves", from_steps=0).close()
