"""The trainer: advances one run at a time, and gives it back cleanly when asked to."""

import contextlib
import threading

import sqlalchemy as sa

from rlhf.config import Settings
from rlhf.errors import StorageError
from rlhf.loop.ask_teacher import answers_due
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import jobs, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.run import JobKind, JobState, RunState
from rlhf.worker.event_files import EventFiles

KINDS = (JobKind.TRAIN,)
_WAIT_S = 0.2
"""Pause between looks for new answers while a run cannot learn."""
_PATIENCE_S = 5.0
"""Another run gets the trainer when it has waited so long; two that both wait for people take turns."""


def train(
    engine: sa.Engine,
    blobs: Blobs,
    job: sa.RowMapping,
    worker_id: str,
    stop: threading.Event,
    *,
    once: bool,
) -> bool:
    """Advance the job's run until it is finished, paused, stopped, wanted elsewhere or lost.

    With ``once`` it also ends when the run can do nothing without people's answers.

    Returns:
        Whether the run now waits for people.

    Raises:
        LeaseLostError: another worker has taken the run over; nothing was written after that.
        RlhfError: the run cannot go on; the caller marks it failed.
    """
    with contextlib.closing(open_session(engine, blobs, job["run_id"])) as session:
        session.guard = lambda connection: jobs.beat(connection, job["id"], worker_id)
        with session.writing() as connection:
            runs.update_run(connection, session.run_id, state=RunState.RUNNING, error=None)
        folder = Settings.from_environment().data_dir / "tensorboard" / session.run_id
        curves = EventFiles(engine, session.run_id, folder, from_steps=session.steps)
        with contextlib.closing(curves):
            return _advance(session, curves, job, worker_id, stop, once)


def _advance(
    session: Session,
    curves: EventFiles,
    job: sa.RowMapping,
    worker_id: str,
    stop: threading.Event,
    once: bool,
) -> bool:
    engine, run_id = session.engine, session.run_id
    while True:
        if stop.is_set() or _wanted(engine, run_id) is not RunState.RUNNING:
            _give_back(session, job, worker_id)
            return False
        turn = iterate(session)
        curves.update()
        if turn is Turn.FINISHED:
            _finish(session, job, worker_id)
            return False
        if turn is Turn.WAITING:
            needs_people = once and not _teacher_will_answer(session)
            if needs_people or _others_wait(engine):
                _give_back(session, job, worker_id)
                return needs_people
            stop.wait(_WAIT_S)


def _finish(session: Session, job: sa.RowMapping, worker_id: str) -> None:
    with session.writing() as connection:
        runs.update_run(
            connection, session.run_id, state=RunState.FINISHED, wanted=RunState.STOPPED, message="Finished."
        )
        jobs.release(connection, job["id"], worker_id, JobState.DONE)


def _give_back(session: Session, job: sa.RowMapping, worker_id: str) -> None:
    """Save the run and let go of it: for good, until it is resumed, or for the next worker."""
    run_id = session.run_id
    try:
        if not session.is_saved:
            save_checkpoint(session)
    except StorageError as error:
        # The checkpoint before is still good, so stopping now costs seconds of training and no answer.
        with session.writing() as connection:
            runs.add_event(connection, run_id, session.steps, "checkpoint", str(error))
    with session.writing() as connection:
        # Read again: somebody may have resumed the run while it was being saved.
        wanted = runs.get_run(connection, run_id)["wanted"]
        runs.update_run(connection, run_id, steps=session.steps, policy_version=session.policy.version)
        if wanted is not RunState.RUNNING:
            runs.update_run(connection, run_id, state=wanted, message=f"{wanted.value.capitalize()}.")
            runs.add_event(connection, run_id, session.steps, wanted.value, f"The run was {wanted.value}.")
        done = JobState.DONE if wanted is RunState.STOPPED else JobState.WAITING
        jobs.release(connection, job["id"], worker_id, done)


def _wanted(engine: sa.Engine, run_id: str) -> RunState:
    with reading(engine) as connection:
        wanted: RunState = runs.get_run(connection, run_id)["wanted"]
        return wanted


def _teacher_will_answer(session: Session) -> bool:
    """Whether a synthetic teacher has answers to give before the run can go on."""
    with reading(session.engine) as connection:
        teacher = runs.get_run(connection, session.run_id)["teacher"]
        due, given = answers_due(connection, session.run_id, session.config, session.steps)
    return teacher is not None and given < due


def _others_wait(engine: sa.Engine) -> bool:
    with reading(engine) as connection:
        return jobs.has_claimable(connection, KINDS, waited_s=_PATIENCE_S)
