"""Jobs: one holder at a time, and none is lost when its holder dies."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import LeaseLostError
from rlhf.storage import jobs, runs, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState, RunState
from rlhf.ui.store import Store

DRAWING = (JobKind.RENDER, JobKind.EVALUATE)


def _enqueue(store: Store, run_id: str, kind: JobKind, *subjects: str) -> None:
    for subject in subjects:
        with writing(store.engine) as connection:
            jobs.enqueue(connection, run_id, kind, subject)


def _claim(store: Store, owner: str = "one", kinds: tuple[JobKind, ...] = DRAWING, **more: Any) -> Any:
    with writing(store.engine) as connection:
        return jobs.claim(connection, kinds, owner, **more)


def _rows(store: Store) -> list[sa.RowMapping]:
    with reading(store.engine) as connection:
        return list(connection.execute(sa.select(schema.jobs).order_by(schema.jobs.c.subject)).mappings())


def _let_leases_run_out(store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema.jobs.update().values(lease_until=time.time() - 0.001))


def _want(store: Store, run_id: str, wanted: RunState) -> None:
    with writing(store.engine) as connection:
        runs.set_wanted(connection, run_id, wanted)


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run()


def test_oldest_job_is_claimed_first(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "c", "a", "b")
    assert [_claim(store)["subject"] for _ in range(3)] == ["c", "a", "b"]


def test_nothing_is_claimed_twice(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    _claim(store)
    assert _claim(store, "two") is None


def test_only_the_asked_kinds_are_claimed(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.EVALUATE, "a")
    assert _claim(store, kinds=(JobKind.RENDER,)) is None
    assert _claim(store, kinds=(JobKind.EVALUATE,))["subject"] == "a"


def test_jobs_to_be_passed_over_are(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a", "b")
    first = next(row["id"] for row in _rows(store) if row["subject"] == "a")
    assert _claim(store, without={first})["subject"] == "b"


def test_enqueueing_again_adds_nothing_while_it_waits_or_is_claimed(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a", "a")
    _claim(store)
    _enqueue(store, run_id, JobKind.RENDER, "a")
    assert [row["state"] for row in _rows(store)] == [JobState.CLAIMED]


@pytest.mark.parametrize("end", [JobState.DONE, JobState.FAILED])
def test_ended_job_can_be_enqueued_afresh(store: Store, run_id: str, end: JobState) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    with writing(store.engine) as connection:
        jobs.release(connection, job["id"], "one", end, error="traceback")
    assert _claim(store) is None
    _enqueue(store, run_id, JobKind.RENDER, "a")
    (row,) = _rows(store)
    assert (row["state"], row["attempts"], row["error"]) == (JobState.WAITING, 0, None)


def test_same_subject_of_another_kind_is_another_job(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    _enqueue(store, run_id, JobKind.EVALUATE, "a")
    assert len(_rows(store)) == 2


def test_job_of_a_dead_worker_is_taken_over(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE_S", 0.05)
    _enqueue(store, run_id, JobKind.RENDER, "a")
    _claim(store, "dead")
    time.sleep(0.06)
    assert _claim(store, "two")["subject"] == "a"


def test_heartbeat_prolongs_the_lease(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    _let_leases_run_out(store)
    before = time.time()
    with writing(store.engine) as connection:
        jobs.beat(connection, job["id"], "one")
    assert _rows(store)[0]["lease_until"] >= before + jobs.LEASE_S


def test_late_heartbeat_keeps_a_job_that_nobody_took(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    _let_leases_run_out(store)
    with writing(store.engine) as connection:
        jobs.beat(connection, job["id"], "one")
    assert _claim(store, "two") is None


def test_heartbeat_after_a_take_over_is_an_error(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    _let_leases_run_out(store)
    _claim(store, "two")
    with pytest.raises(LeaseLostError, match="no longer held by one"), writing(store.engine) as connection:
        jobs.beat(connection, job["id"], "one")


def test_heartbeat_after_release_is_an_error(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    with writing(store.engine) as connection:
        jobs.release(connection, job["id"], "one", JobState.DONE)
    with pytest.raises(LeaseLostError), writing(store.engine) as connection:
        jobs.beat(connection, job["id"], "one")


def test_release_by_a_former_holder_has_no_effect(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    job = _claim(store)
    _let_leases_run_out(store)
    _claim(store, "two")
    with writing(store.engine) as connection:
        jobs.release(connection, job["id"], "one", JobState.FAILED, error="stale")
    (row,) = _rows(store)
    assert (row["state"], row["owner"], row["error"]) == (JobState.CLAIMED, "two", None)


def test_job_given_back_goes_to_the_end(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a", "b")
    job = _claim(store)
    with writing(store.engine) as connection:
        jobs.release(connection, job["id"], "one", JobState.WAITING)
    assert [_claim(store)["subject"] for _ in range(2)] == ["b", "a"]


def test_drawing_that_kills_its_worker_is_given_up(store: Store, run_id: str) -> None:
    _enqueue(store, run_id, JobKind.RENDER, "a")
    for _ in range(jobs.MAX_ATTEMPTS):
        assert _claim(store) is not None
        _let_leases_run_out(store)
    assert _claim(store) is None


def test_training_is_taken_over_as_often_as_needed(store: Store, run_id: str) -> None:
    _want(store, run_id, RunState.RUNNING)
    _enqueue(store, run_id, JobKind.TRAIN, run_id)
    for _ in range(jobs.MAX_ATTEMPTS + 2):
        assert _claim(store, kinds=(JobKind.TRAIN,)) is not None
        _let_leases_run_out(store)


@pytest.mark.parametrize("wanted", [RunState.PAUSED, RunState.STOPPED])
def test_training_that_nobody_wants_is_not_claimed(store: Store, run_id: str, wanted: RunState) -> None:
    _enqueue(store, run_id, JobKind.TRAIN, run_id)
    _want(store, run_id, wanted)
    assert _claim(store, kinds=(JobKind.TRAIN,)) is None
    with reading(store.engine) as connection:
        assert not jobs.has_claimable(connection, (JobKind.TRAIN,))


def test_drawing_goes_on_while_a_run_is_paused(store: Store, run_id: str) -> None:
    _want(store, run_id, RunState.PAUSED)
    _enqueue(store, run_id, JobKind.RENDER, "a")
    assert _claim(store) is not None


def test_is_claimed_only_while_the_lease_lasts(store: Store, run_id: str) -> None:
    _want(store, run_id, RunState.RUNNING)
    _enqueue(store, run_id, JobKind.TRAIN, run_id)
    found = []
    for prepare in (
        lambda: None,
        lambda: _claim(store, kinds=(JobKind.TRAIN,)),
        lambda: _let_leases_run_out(store),
    ):
        prepare()
        with reading(store.engine) as connection:
            found.append(jobs.is_claimed(connection, JobKind.TRAIN, run_id))
    assert found == [False, True, False]


def test_threads_never_get_the_same_job(store: Store, run_id: str) -> None:
    subjects = [f"s{number}" for number in range(40)]
    _enqueue(store, run_id, JobKind.RENDER, *subjects)
    claimed: list[str] = []

    def work(owner: str) -> None:
        while (job := _claim(store, owner)) is not None:
            claimed.append(job["subject"])

    threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(subjects)


CLAIM_ALL = """
import sys, time
from pathlib import Path
from rlhf.storage import jobs
from rlhf.storage.engine import open_engine, writing
from rlhf.types.run import JobKind
url, signal, owner = sys.argv[1:]
engine = open_engine(url)
print("ready", flush=True)
while not Path(signal).exists():
    time.sleep(0.001)
job = True
while job:
    with writing(engine) as connection:
        job = jobs.claim(connection, (JobKind.RENDER,), owner)
    if job:
        print(job["subject"])
"""


def test_processes_never_get_the_same_job(store: Store, run_id: str, tmp_path: Path) -> None:
    subjects = [f"s{number}" for number in range(40)]
    _enqueue(store, run_id, JobKind.RENDER, *subjects)
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                CLAIM_ALL,
                store.settings.database_url,
                str(tmp_path / "go"),
                f"worker-{n}",
            ],
            cwd=PROJECT_ROOT,
            env=child_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    (tmp_path / "go").touch()
    claimed = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert sorted(claimed[0] + claimed[1]) == sorted(subjects)


def test_silent_workers_are_not_alive(store: Store) -> None:
    with writing(store.engine) as connection:
        for name in ("silent", "seen"):
            jobs.register_worker(connection, name, "trainer", 1, "host")
        connection.execute(schema.workers.update().values(seen_at=time.time() - jobs.LEASE_S - 1))
        jobs.worker_seen(connection, "seen", note="draws with the painter")
        found = jobs.live_workers(connection)
    assert [(row["id"], row["note"]) for row in found] == [("seen", "draws with the painter")]


def test_worker_that_ends_is_forgotten(store: Store) -> None:
    with writing(store.engine) as connection:
        jobs.register_worker(connection, "one", "renderer", 1, "host")
        jobs.remove_worker(connection, "one")
        assert jobs.live_workers(connection) == []
