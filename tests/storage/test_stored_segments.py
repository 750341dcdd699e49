"""Segments in the store, and their true rewards apart from them."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import NotFoundError, StorageError
from rlhf.storage import segments
from rlhf.storage.engine import reading, writing
from rlhf.ui.store import Store

Make = Callable[..., str]


def test_segment_comes_back_equal(store: Store, make_run: Make, make_segment: Make) -> None:
    segment_id = make_segment(make_run())
    with reading(store.engine) as connection:
        once = segments.load_segment(connection, store.blobs, segment_id)
        name = segments.get_segment_row(connection, segment_id)["arrays"]
    assert store.blobs.write_arrays(once.to_arrays()) == name


def test_stored_segment_holds_no_true_reward(store: Store, make_run: Make, make_segment: Make) -> None:
    segment_id = make_segment(make_run())
    with reading(store.engine) as connection:
        row = segments.get_segment_row(connection, segment_id)
    assert not any("true" in name for name in (*row, *store.blobs.read_arrays(row["arrays"])[0]))


def test_true_rewards_come_in_the_order_asked(store: Store, make_run: Make, make_segment: Make) -> None:
    run_id = make_run()
    first, second = make_segment(run_id), make_segment(run_id)
    with writing(store.engine) as connection:
        segment = segments.load_segment(connection, store.blobs, first)
        arrays = segments.get_segment_row(connection, first)["arrays"]
        truth = store.blobs.write_arrays({"true_rewards": np.full(3, 9.0)})
        third = segments.insert_segment(connection, run_id, segment, arrays, truth)
        found = segments.load_true_rewards(connection, store.blobs, [third, second, third])
    assert [rewards.tolist() for rewards in found] == [[9.0] * 3, [0.0, 1.0, 2.0], [9.0] * 3]


def test_missing_true_reward_is_not_found(store: Store, make_run: Make, make_segment: Make) -> None:
    run_id = make_run()
    known = make_segment(run_id)
    with writing(store.engine) as connection:
        segment = segments.load_segment(connection, store.blobs, known)
        arrays = segments.get_segment_row(connection, known)["arrays"]
        unknown = segments.insert_segment(connection, run_id, segment, arrays, None)
        with pytest.raises(NotFoundError, match=unknown):
            segments.load_true_rewards(connection, store.blobs, [known, unknown])


def test_unknown_segment_is_not_found(store: Store) -> None:
    with reading(store.engine) as connection, pytest.raises(NotFoundError):
        segments.load_segment(connection, store.blobs, "gone")


def test_damaged_arrays_are_noticed(store: Store, make_run: Make, make_segment: Make) -> None:
    segment_id = make_segment(make_run())
    with reading(store.engine) as connection:
        path = store.blobs.local_path(segments.get_segment_row(connection, segment_id)["arrays"])
        assert path is not None
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(StorageError, match="damaged"):
            segments.load_segment(connection, store.blobs, segment_id)
