"""Transactions of the SQLite engine: durable, isolated, and honest about a full disk."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import StorageError
from rlhf.storage import answers, runs
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.schema import annotators
from rlhf.ui.store import Store


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_connections_are_set_up(store: Store, pragma: str, value: object) -> None:
    with reading(store.engine) as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_writing_commits(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with reading(store.engine) as connection:
        assert runs.get_run(connection, run_id)["task"] == "pendulum-swingup"


def _write_then_fail(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        answers.insert_annotator(connection, "Ann", is_teacher=False)
        raise RuntimeError("no")


def test_writing_rolls_back_on_any_error(store: Store) -> None:
    with pytest.raises(RuntimeError, match="no"):
        _write_then_fail(store.engine)
    with reading(store.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(annotators)) == 0


def test_reader_keeps_seeing_one_state_while_others_write(store: Store, make_run: Callable[..., str]) -> None:
    make_run()
    with reading(store.engine) as connection:
        before = len(runs.list_runs(connection))
        make_run()
        after = len(runs.list_runs(connection))
    assert (before, after) == (1, 1)


def test_second_writer_waits_for_the_first(store: Store) -> None:
    is_inside = threading.Event()

    def hold() -> None:
        with writing(store.engine) as connection:
            answers.insert_annotator(connection, "First", is_teacher=False)
            is_inside.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_inside.wait(5)
    with writing(store.engine) as connection:
        seen = connection.scalars(sa.select(annotators.c.name)).all()
    thread.join()
    assert seen == ["First"]


@pytest.mark.parametrize(("is_durable", "synchronous"), [(False, 1), (True, 2)])
def test_only_what_must_last_waits_for_the_disk(store: Store, is_durable: bool, synchronous: int) -> None:
    with writing(store.engine, is_durable=not is_durable):
        pass
    with writing(store.engine, is_durable=is_durable) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous


def test_references_must_exist(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), writing(store.engine) as connection:
        runs.add_event(connection, "no-such-run", 0, "kind", "message")


@pytest.mark.parametrize("url", ["not a url", "nosuchdatabase://host/name"])
def test_unusable_url_names_the_setting(url: str) -> None:
    with pytest.raises(StorageError, match="RLHF_DATABASE_URL"):
        open_engine(url)


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="RLHF_DATABASE_URL"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'rlhf.db'}")


FILL = """
import resource, sys
from rlhf.errors import StorageError
from rlhf.storage import runs
from rlhf.storage.engine import open_engine, writing
url, run_id = sys.argv[1:]
engine = open_engine(url)
with writing(engine) as connection:
    runs.add_event(connection, run_id, 0, "small", "fits")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with writing(engine) as connection:
        runs.add_event(connection, run_id, 0, "small", "first")
        runs.add_event(connection, run_id, 0, "big", "x" * 1_000_000)
except StorageError as error:
    print("StorageError:", error)
"""


def test_full_disk_costs_only_the_transaction_that_did_not_fit(
    store: Store, make_run: Callable[..., str]
) -> None:
    """The limit on the file size makes SQLite's own writes fail, as a full disk would."""
    run_id = make_run()
    done = subprocess.run(
        [sys.executable, "-c", FILL, store.settings.database_url, run_id],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("StorageError: the database could not be written"), done.stderr
    with reading(store.engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert [row["message"] for row in runs.list_events(connection, run_id)] == ["fits"]


def test_a_thread_that_cannot_write_in_time_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlhf.storage.engine.BUSY_TIMEOUT_S", 0.05)
    told: list[Exception] = []

    def write() -> None:
        try:
            with writing(store.engine):
                pass
        except StorageError as error:
            told.append(error)

    with writing(store.engine):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "busy" in str(told[0])
    write()  # and the turn was not lost
    assert len(told) == 1
