"""Who may write a run, and what becomes of wishes and corrections that come at an awkward moment."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.errors import LeaseLostError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.session import open_session, save_checkpoint
from rlhf.loop.start_run import start_run, stop_run
from rlhf.storage import answers, jobs, models, runs
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import jobs as jobs_table
from rlhf.types.feedback import Choice
from rlhf.types.run import JobKind, JobState, RunState
from rlhf.ui.store import Store
from rlhf.worker import trainer
from rlhf.worker.renderer import TeacherPace


def read_run(store: Store, run_id: str) -> Any:
    with reading(store.engine) as connection:
        return runs.get_run(connection, run_id)


def claim(store: Store, owner: str) -> Any:
    with writing(store.engine) as connection:
        return jobs.claim(connection, (JobKind.TRAIN,), owner)


def test_a_worker_that_lost_the_run_writes_nothing_more(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run()
    start_run(store.engine, run_id)
    job = claim(store, "first")
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    session.guard = lambda connection: jobs.beat(connection, job["id"], "first")
    iterate(session)
    with writing(store.engine) as connection:
        connection.execute(jobs_table.update().values(lease_until=0.0))
    assert claim(store, "second") is not None
    with reading(store.engine) as connection:
        before = models.list_checkpoints(connection, run_id)
    with pytest.raises(LeaseLostError):
        save_checkpoint(session)
    with reading(store.engine) as connection:
        assert models.list_checkpoints(connection, run_id) == before


def test_resuming_while_a_run_is_being_stopped_keeps_it_going(
    store: Store, new_small_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = new_small_run()
    start_run(store.engine, run_id)
    job = claim(store, "worker")

    def save_slowly(session: Any) -> None:
        save_checkpoint(session)
        start_run(store.engine, run_id)  # somebody presses Resume meanwhile

    monkeypatch.setattr(trainer, "save_checkpoint", save_slowly)
    stop_run(store.engine, run_id)
    trainer.train(store.engine, store.blobs, job, "worker", threading.Event(), once=False)
    with reading(store.engine) as connection:
        state = connection.scalar(sa.select(jobs_table.c.state))
    assert (read_run(store, run_id)["wanted"], state) == (RunState.RUNNING, JobState.WAITING)


def test_a_resumed_run_that_no_worker_has_taken_yet_can_be_stopped(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run()
    for action in (start_run, stop_run, start_run, stop_run):
        action(store.engine, run_id)
    assert read_run(store, run_id)["wanted"] is RunState.STOPPED
    assert claim(store, "worker") is None


def test_corrected_answers_are_learned_from(store: Store, new_small_run: Callable[..., str]) -> None:
    run_id = new_small_run()
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 8)
    assert fit_reward(session) is not None
    assert fit_reward(session) is None
    with reading(store.engine) as connection:
        given = answers.standing_answers(connection, run_id)
    for index, row in enumerate(given):
        turned = Choice.RIGHT if row["choice"] is Choice.LEFT else Choice.LEFT
        again = Answer(key=f"corrected-{index}", query_id=row["query_id"], choice=turned)
        record_answer(store.engine, run_id, row["annotator_id"], again)
    assert fit_reward(session) is not None


def test_a_run_whose_teacher_fails_keeps_no_other_from_being_drawn(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id = make_run(task="gym:no_such_package:Nothing-v0", teacher="oracle")
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, state=RunState.RUNNING)
    TeacherPace(store.engine, store.blobs).answer()
    with reading(store.engine) as connection:
        (event,) = runs.list_events(connection, run_id)
    assert read_run(store, run_id)["teacher"] is None
    assert "no_such_package" in event["message"]
