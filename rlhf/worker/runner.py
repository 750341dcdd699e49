"""A worker process: claims jobs one after another until it is told to stop.

The only place that catches every error: one bad job must not end the worker, and its traceback belongs to
the job's row where people find it.
"""

import os
import signal
import socket
import sys
import threading
import traceback
import uuid
from collections.abc import Callable
from typing import Literal

import sqlalchemy as sa

from rlhf.config import Settings, choose_gl
from rlhf.errors import JobError, JobStoppedError, LeaseLostError, RenderError, RlhfError, StorageError
from rlhf.storage import jobs, queries, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import migrate
from rlhf.types.run import RANKER_KINDS, JobKind, JobState, RunState
from rlhf.worker.lease import Heartbeat
from rlhf.worker.priority import give_way

Role = Literal["trainer", "renderer", "ranker"]
_POLL_S = {"trainer": 0.3, "renderer": 0.05, "ranker": 0.3}
_NICE = {"trainer": 10, "renderer": 2, "ranker": 12}
"""People wait for clips, so the renderer gives way a little only; the others take what is left."""
_RETRY_S = 2.0


def work(role: Role, *, once: bool = False, parent: int | None = None) -> None:
    """Do jobs of this role until SIGTERM or SIGINT, or until the parent process is gone.

    Args:
        role: which jobs to do.
        once: end when no job can be done.
        parent: process that started this worker; None for a worker of its own.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    give_way(_NICE[role])  # answers and pages come first, then clips
    if parent is not None:
        threading.Thread(target=_stop_without_parent, args=(parent, stop), daemon=True).start()
    settings = Settings.from_environment()
    engine = open_engine(settings.database_url)
    migrate(engine)
    worker_id = f"{role}-{uuid.uuid4().hex[:12]}"
    with writing(engine) as connection:
        jobs.register_worker(connection, worker_id, role, os.getpid(), socket.gethostname())
    try:
        with Heartbeat(engine, worker_id) as heartbeat:
            step = _ROLES[role](engine, Blobs(settings.blob_url), worker_id, heartbeat, stop, once)
            while not stop.is_set():
                try:
                    busy = step()
                except StorageError as error:
                    print(f"{role}: {error}", file=sys.stderr)
                    busy = not stop.wait(_RETRY_S)
                if not busy:
                    if once:
                        break
                    stop.wait(_POLL_S[role])
    finally:
        with writing(engine) as connection:
            jobs.remove_worker(connection, worker_id)


def _stop_without_parent(parent: int, stop: threading.Event) -> None:
    """A killed server cannot end its workers, so they notice that it is gone."""
    while os.getppid() == parent and not stop.wait(1.0):
        pass
    stop.set()


def _trainer(
    engine: sa.Engine,
    blobs: Blobs,
    worker_id: str,
    heartbeat: Heartbeat,
    stop: threading.Event,
    once: bool,
) -> Callable[[], bool]:
    import torch

    from rlhf.worker import trainer

    torch.set_num_threads(1)
    idle: set[str] = set()

    def do(job: sa.RowMapping) -> None:
        if trainer.train(engine, blobs, job, worker_id, stop, once=once):
            idle.add(job["id"])

    def step() -> bool:
        return _do_next(engine, trainer.KINDS, worker_id, heartbeat, do, without=idle if once else set())

    return step


def _renderer(
    engine: sa.Engine,
    blobs: Blobs,
    worker_id: str,
    heartbeat: Heartbeat,
    stop: threading.Event,
    once: bool,
) -> Callable[[], bool]:
    from rlhf.clips.gl import usable_gl

    choose_gl(usable_gl())
    from rlhf.loop.map_behaviour import map_behaviour
    from rlhf.loop.render_clips import ClipMaker
    from rlhf.worker import renderer

    clips = ClipMaker(engine, blobs)
    teachers = renderer.TeacherPace(engine, blobs)
    rankers = renderer.Rankers(engine)
    turns = renderer.Turns()

    def do(job: sa.RowMapping) -> None:
        is_done = True
        match job["kind"]:
            case JobKind.RENDER:
                renderer.draw(clips, job)
            case JobKind.RECORD:
                renderer.call_demonstrator(job)
            case JobKind.DRAW:
                renderer.draw_segment(engine, clips, job)
            case JobKind.REPLAY:
                renderer.replay(engine, blobs, clips, job)
            case JobKind.DEMONSTRATE:
                renderer.demonstrate(engine, blobs, job)
            case JobKind.MAP:
                is_done = map_behaviour(engine, blobs, job["run_id"])
            case _:
                renderer.evaluate(engine, blobs, clips, job)
        with writing(engine) as connection:
            jobs.release(connection, job["id"], worker_id, JobState.DONE)
            if not is_done:  # behind what waits meanwhile
                jobs.enqueue(connection, job["run_id"], job["kind"], job["subject"])
            jobs.worker_seen(connection, worker_id, note=clips.describe())

    def step() -> bool:
        teachers.answer()
        rankers.start_if_wanted(wait=once)
        return any(_do_next(engine, kinds, worker_id, heartbeat, do) for kinds in turns.next_kinds())

    return step


def _ranker(
    engine: sa.Engine,
    blobs: Blobs,
    worker_id: str,
    heartbeat: Heartbeat,
    stop: threading.Event,
    once: bool,
) -> Callable[[], bool]:
    from rlhf.loop.make_foresight import make_foresight
    from rlhf.loop.make_ranking import make_ranking

    def check() -> None:
        if stop.is_set() or heartbeat.is_lost:
            raise JobStoppedError("the worker ends or has lost its job.")

    def do(job: sa.RowMapping) -> None:
        state = JobState.DONE
        try:
            make = make_ranking if job["kind"] is JobKind.RANK else make_foresight
            make(engine, blobs, job["subject"], check)
        except JobStoppedError:
            if stop.is_set():
                state = JobState.WAITING  # for the next worker
        with writing(engine) as connection:
            jobs.release(connection, job["id"], worker_id, state)

    return lambda: _do_next(engine, RANKER_KINDS, worker_id, heartbeat, do)


_ROLES = {"trainer": _trainer, "renderer": _renderer, "ranker": _ranker}


def _do_next(
    engine: sa.Engine,
    kinds: tuple[JobKind, ...],
    worker_id: str,
    heartbeat: Heartbeat,
    do: Callable[[sa.RowMapping], None],
    without: set[str] | None = None,
) -> bool:
    """Claim and do one job; return whether there was one."""
    with reading(engine) as connection:
        if not jobs.has_claimable(connection, kinds):
            return False  # so that an idle worker writes nothing
    with writing(engine) as connection:
        job = jobs.claim(connection, kinds, worker_id, without or ())
    if job is None:
        return False
    heartbeat.hold(job["id"])
    try:
        do(job)
    except LeaseLostError as error:
        print(error, file=sys.stderr)
    except Exception as error:  # whatever a job does wrong is the job's, not the worker's
        traceback.print_exc()
        if not heartbeat.is_lost:  # otherwise the job is another worker's by now
            _record_failure(engine, job, worker_id, error)
    finally:
        heartbeat.hold(None)
    return True


def _record_failure(engine: sa.Engine, job: sa.RowMapping, worker_id: str, error: Exception) -> None:
    """Store what went wrong where people see it; decide whether the job is tried again."""
    details = traceback.format_exc()
    message = str(error) if isinstance(error, RlhfError) else f"{type(error).__name__}: {error}"
    with writing(engine) as connection:
        run = runs.get_run(connection, job["run_id"])
        runs.add_event(connection, job["run_id"], run["steps"], "error", message)
        if job["kind"] is not JobKind.TRAIN:
            hopeless = isinstance(error, RenderError | JobError) or job["attempts"] + 1 >= jobs.MAX_ATTEMPTS
            state = JobState.FAILED if hopeless else JobState.WAITING
            if hopeless and job["kind"] is JobKind.RENDER:
                # Otherwise it would count as waiting for ever, and no other would be chosen in its place.
                queries.give_up_rendering(connection, job["subject"])
                runs.update_run(connection, job["run_id"], error=message)
                if not run["state"].is_over and queries.none_can_be_drawn(connection, job["run_id"]):
                    # New pairs would fail like these, without end; people read why and can resume.
                    runs.set_wanted(connection, job["run_id"], RunState.PAUSED)
        elif isinstance(error, StorageError):
            # Space can be freed and the run resumed: it is paused, not failed.
            state = JobState.WAITING
            runs.update_run(
                connection, job["run_id"], wanted=RunState.PAUSED, state=RunState.PAUSED, error=message
            )
        else:
            state = JobState.FAILED
            runs.update_run(
                connection, job["run_id"], wanted=RunState.STOPPED, state=RunState.FAILED, error=message
            )
        jobs.release(connection, job["id"], worker_id, state, error=details)
