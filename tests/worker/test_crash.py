"""Killing workers at full speed: the run goes on from a checkpoint and no answer is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.loop.start_run import new_run, pause_run, start_run
from rlhf.storage import answers, jobs, runs
from rlhf.storage.engine import reading
from rlhf.storage.schema import checkpoints, events
from rlhf.types.run import RunState
from rlhf.ui.store import Store

RESUME_S = 30.0
SETTINGS = {"keep.checkpoint_s": "1", "schedule.labels": "12", "schedule.initial_labels": "12"}


@pytest.fixture
def supervisor(store: Store) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m rlhf worker``: a trainer and a renderer, watched over."""
    environment = child_environment() | {"RLHF_DATA_DIR": str(store.settings.data_dir)}
    process = subprocess.Popen([sys.executable, "-m", "rlhf", "worker"], cwd=PROJECT_ROOT, env=environment)
    yield process
    process.terminate()
    assert process.wait(40) == 0


def wait_for(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not true within {seconds} s")


def read_run(store: Store, run_id: str) -> Any:
    with reading(store.engine) as connection:
        return runs.get_run(connection, run_id)


def worker_pid(store: Store, role: str) -> int | None:
    with reading(store.engine) as connection:
        return next((row["pid"] for row in jobs.live_workers(connection) if row["role"] == role), None)


def answer_ids(store: Store, run_id: str) -> list[int]:
    with reading(store.engine) as connection:
        return [row["id"] for row in answers.standing_answers(connection, run_id)]


@pytest.mark.usefixtures("supervisor")
def test_a_killed_trainer_is_replaced_and_goes_on_from_its_checkpoint(store: Store) -> None:
    run_id = new_run(store.engine, "pendulum-swingup", teacher="oracle", overrides=SETTINGS)
    start_run(store.engine, run_id)
    wait_for(lambda: read_run(store, run_id)["policy_version"] >= 5, 90)

    def checkpoint_steps() -> int:
        with reading(store.engine) as connection:
            return int(connection.scalar(sa.select(sa.func.max(checkpoints.c.steps))) or 0)

    saved = wait_for(lambda: checkpoint_steps() > 20_000 and checkpoint_steps(), 30)
    kept = answer_ids(store, run_id)
    killed = worker_pid(store, "trainer")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    died_at = time.monotonic()

    def resumed() -> bool:
        with reading(store.engine) as connection:
            kinds = [row["kind"] for row in runs.list_events(connection, run_id)]
        return "resume" in kinds and read_run(store, run_id)["state"] is RunState.RUNNING

    wait_for(resumed, RESUME_S)
    wait_for(lambda: read_run(store, run_id)["steps"] > saved + 5_000, RESUME_S)
    assert time.monotonic() - died_at <= RESUME_S
    assert answer_ids(store, run_id)[: len(kept)] == kept
    with reading(store.engine) as connection:
        row = connection.execute(sa.select(events).where(events.c.kind == "resume")).mappings().first()
    assert row is not None
    assert row["steps"] >= saved

    pause_run(store.engine, run_id)
    wait_for(lambda: read_run(store, run_id)["state"] is RunState.PAUSED, 20)
    paused_at = read_run(store, run_id)["steps"]
    time.sleep(1.0)
    assert read_run(store, run_id)["steps"] == paused_at
    start_run(store.engine, run_id)
    wait_for(lambda: read_run(store, run_id)["steps"] > paused_at, 20)


def test_workers_end_when_the_process_that_started_them_is_killed(store: Store, tmp_path: Path) -> None:
    environment = child_environment() | {"RLHF_DATA_DIR": str(store.settings.data_dir)}
    process = subprocess.Popen([sys.executable, "-m", "rlhf", "worker"], cwd=PROJECT_ROOT, env=environment)
    pids = wait_for(lambda: all(p := [worker_pid(store, "trainer"), worker_pid(store, "renderer")]) and p, 40)
    process.kill()
    process.wait()
    wait_for(lambda: not any(_is_alive(pid) for pid in pids), 20)


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status != "Z"
