from collections.abc import Callable

import pytest

from rlhf.errors import NotFoundError
from rlhf.storage import foresights, schema
from rlhf.storage.engine import reading, writing
from rlhf.storage.migrations import migrate
from rlhf.ui.store import Store

Make = Callable[..., str]
CLIP, NEXT = f"{'a' * 64}.mp4", f"{'b' * 64}.mp4"


def test_what_was_found_stays_until_there_is_more(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        assert foresights.get_foresight(connection, run_id) is None
        foresights.begin(connection, run_id)
        assert foresights.note_progress(connection, run_id, 1, 5, "learning")
        row = foresights.get_foresight(connection, run_id)
        assert row is not None
        assert (row["num_done"], row["num_in_all"], row["message"], row["found"]) == (1, 5, "learning", None)
        assert foresights.finish(connection, run_id, {"overruled": 0.5}, CLIP) is None
        foresights.begin(connection, run_id)
        row = foresights.get_foresight(connection, run_id)
        assert row is not None
        assert (row["found"], row["clip"], row["num_done"]) == ({"overruled": 0.5}, CLIP, 0)
        assert foresights.finish(connection, run_id, {"overruled": 0.1}, NEXT) == CLIP
    with reading(store.engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    assert (row["found"], row["clip"], row["begun_at"]) == ({"overruled": 0.1}, NEXT, None)


def test_a_clip_that_another_run_shows_is_kept(store: Store, make_run: Make) -> None:
    first, second = make_run(), make_run()
    with writing(store.engine) as connection:
        for run_id in (first, second, first):
            foresights.begin(connection, run_id)
            foresights.finish(connection, run_id, {}, CLIP)
        foresights.begin(connection, first)
        assert foresights.finish(connection, first, {}, NEXT) is None
        foresights.begin(connection, second)
        assert foresights.finish(connection, second, {}, NEXT) == CLIP


def test_one_that_was_stopped_hears_so(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        foresights.begin(connection, run_id)
        foresights.finish(connection, run_id, {"overruled": 0.5}, None)
        foresights.begin(connection, run_id)
        foresights.stop(connection, run_id)
        assert not foresights.note_progress(connection, run_id, 2, 5, "")
        with pytest.raises(NotFoundError, match="nothing about looking ahead"):
            foresights.finish(connection, run_id, {}, CLIP)
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    assert row["found"] == {"overruled": 0.5}


def test_a_database_without_them_gets_them(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        schema.foresights.drop(connection)
        name = "0012_foresights"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with writing(store.engine) as connection:
        foresights.begin(connection, run_id)
