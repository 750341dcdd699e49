"""The trainer: advances one run at a time, and gives it back cleanly when asked to."""

import threading

import sqlalchemy as sa

from rlhf.errors import StorageError
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.schedule import labels_due
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import answers, jobs, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState, RunState
from rlhf.worker.lease import Heartbeat

KINDS = (JobKind.TRAIN,)
_WAIT_S = 0.2
"""Pause between looks for new answers while a run cannot learn."""


def train(
    engine: sa.Engine,
    blobs: Blobs,
    job: sa.RowMapping,
    worker_id: str,
    heartbeat: Heartbeat,
    stop: threading.Event,
    *,
    once: bool,
) -> None:
    """Advance the job's run until it is finished, paused, stopped, wanted elsewhere or lost.

    With ``once`` it also ends when the run can do nothing without people's answers.

    Raises:
        RlhfError: the run cannot go on; the caller marks it failed.
    """
    run_id = job["run_id"]
    session = open_session(engine, blobs, run_id)
    _set_state(engine, run_id, RunState.RUNNING)
    while not heartbeat.is_lost:
        wanted = _wanted(engine, run_id)
        if wanted in (RunState.PAUSED, RunState.STOPPED) or stop.is_set():
            _give_back(session, job, worker_id, wanted)
            return
        turn = iterate(session)
        if turn is Turn.FINISHED:
            _set_state(engine, run_id, RunState.FINISHED)
            with writing(engine) as connection:
                runs.update_run(connection, run_id, message="Finished.", wanted=RunState.STOPPED)
                jobs.release(connection, job["id"], worker_id, JobState.DONE)
            return
        if turn is Turn.WAITING:
            if (once and not _teacher_will_answer(session)) or _others_wait(engine):
                _give_back(session, job, worker_id, RunState.RUNNING)
                return
            stop.wait(_WAIT_S)


def _give_back(session: Session, job: sa.RowMapping, worker_id: str, wanted: RunState) -> None:
    """Save the run and let go of it: for good, until it is resumed, or for the next worker."""
    try:
        save_checkpoint(session)
    except StorageError as error:
        # The checkpoint before is still good, so stopping now costs seconds of training and no answer.
        with writing(session.engine) as connection:
            runs.add_event(connection, session.run_id, session.steps, "checkpoint", str(error))
    with writing(session.engine) as connection:
        runs.update_run(
            connection, session.run_id, steps=session.steps, policy_version=session.policy.version
        )
        if wanted in (RunState.PAUSED, RunState.STOPPED):
            runs.update_run(connection, session.run_id, state=wanted, message=f"{wanted.value.capitalize()}.")
            runs.add_event(
                connection, session.run_id, session.steps, wanted.value, f"The run was {wanted.value}."
            )
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
        given = sum(answers.count_standing(connection, session.run_id).values())
    return teacher is not None and given < labels_due(session.config.schedule, session.steps)


def _others_wait(engine: sa.Engine) -> bool:
    with reading(engine) as connection:
        return jobs.has_claimable(connection, KINDS)


def _set_state(engine: sa.Engine, run_id: str, state: RunState) -> None:
    with writing(engine) as connection:
        runs.update_run(connection, run_id, state=state, error=None)
