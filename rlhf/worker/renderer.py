"""The renderer: draws clips, evaluates saved policies, and lets synthetic teachers and experts act."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import RlhfError
from rlhf.experience.tasks import get_task
from rlhf.loop.ask_teacher import answers_due, ask_teacher
from rlhf.loop.compare_policies import compare_policies
from rlhf.loop.config import resolve
from rlhf.loop.evaluate_policy import evaluate_policy
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.record_replay import record_replay
from rlhf.loop.render_clips import ClipMaker
from rlhf.storage import jobs, models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import RANKER_KINDS, JobKind, RunState

_TO_WATCH = (JobKind.EVALUATE, JobKind.DRAW, JobKind.REPLAY, JobKind.DEMONSTRATE, JobKind.MAP)
RENDERS_PER_EVALUATION = 4
"""Clips that people wait for come first, but replays are made as well while clips are always wanted."""
TEACHER_ANSWERS_PER_S = 2.0
"""Slow enough to watch, faster than a person."""


def draw(clips: ClipMaker, job: sa.RowMapping) -> None:
    """Do a RENDER job: its subject is a query."""
    clips.render_query(job["subject"])


def evaluate(engine: sa.Engine, blobs: Blobs, clips: ClipMaker, job: sa.RowMapping) -> None:
    """Do an EVALUATE job, and ask people about the policy; its subject is ``<run>:<policy version>``."""
    run_id, _, version = job["subject"].rpartition(":")
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
    task = get_task(run["task"])
    config = resolve(task, run["overrides"])
    evaluate_policy(engine, blobs, run_id, int(version), config.keep.evaluation_episodes)
    with reading(engine) as connection:
        replay_id = models.get_policy_version(connection, run_id, int(version))["replay_id"]
    clips.render_segments(task, replay_id)
    compare_policies(engine, blobs, run_id, int(version))


def draw_segment(engine: sa.Engine, clips: ClipMaker, job: sa.RowMapping) -> None:
    """Do a DRAW job: its subject is a segment."""
    with reading(engine) as connection:
        task = get_task(runs.get_run(connection, job["run_id"])["task"])
    clips.render_segments(task, job["subject"])


def replay(engine: sa.Engine, blobs: Blobs, clips: ClipMaker, job: sa.RowMapping) -> None:
    """Do a REPLAY job: its subject is a replay."""
    with reading(engine) as connection:
        task = get_task(runs.get_run(connection, job["run_id"])["task"])
    segment_id = record_replay(engine, blobs, job["subject"])
    if segment_id is not None:
        clips.render_segments(task, segment_id)


def demonstrate(engine: sa.Engine, blobs: Blobs, job: sa.RowMapping) -> None:
    """Do a DEMONSTRATE job: its subject is ``<number of episodes>:<anything>``."""
    demonstrate_by_expert(engine, blobs, job["run_id"], int(job["subject"].partition(":")[0]))


def call_demonstrator(job: sa.RowMapping) -> subprocess.Popen[str]:
    """Do a RECORD job: start the process in which a person acts, and return it.

    Its subject is ``<port>-<token>``; the token goes where no other process can read it.
    """
    port, _, token = job["subject"].partition("-")
    call = {"run_id": job["run_id"], "port": int(port), "token": token}
    process = subprocess.Popen(
        [sys.executable, "-m", "rlhf.worker.demonstrator"],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it died at once; the browser is told so
        process.stdin.write(json.dumps(call))
    threading.Thread(target=process.wait, daemon=True).start()  # so that it does not stay behind as a zombie
    return process


class Rankers:
    """Starts a process for what takes minutes, such as comparing sources, while somebody waits for that.

    It ends when there is nothing left to do, or with this process.

    Args:
        engine: the store's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._child: subprocess.Popen[bytes] | None = None
        self._looked_at = 0.0

    def start_if_wanted(self, *, wait: bool) -> None:
        """Look once a second whether one is needed; with ``wait`` return when it has ended."""
        now = time.monotonic()
        if now - self._looked_at < 1.0 or (self._child is not None and self._child.poll() is None):
            return
        self._looked_at = now
        with reading(self._engine) as connection:
            if not jobs.has_claimable(connection, RANKER_KINDS):
                return
        command = [sys.executable, "-m", "rlhf", "worker", "--role", "ranker", "--once"]
        self._child = subprocess.Popen(
            [*command, "--parent", str(os.getpid())], cwd=PROJECT_ROOT, env=child_environment()
        )
        if wait:
            self._child.wait()


class Turns:
    """Decides which kind of job is looked for first."""

    def __init__(self) -> None:
        self._count = 0

    def next_kinds(self) -> tuple[tuple[JobKind, ...], ...]:
        """Return the kinds in groups, what is made to be watched before clips once in a while."""
        self._count += 1
        if self._count % (RENDERS_PER_EVALUATION + 1) == 0:
            return (JobKind.RECORD,), _TO_WATCH, (JobKind.RENDER,)
        return (JobKind.RECORD,), (JobKind.RENDER,), _TO_WATCH


class TeacherPace:
    """Lets the teachers of running runs answer, evenly and not before the schedule wants it.

    Args:
        engine: the store's database.
        blobs: the store's files.
    """

    def __init__(self, engine: sa.Engine, blobs: Blobs) -> None:
        self._engine, self._blobs = engine, blobs
        self._last_at = 0.0

    def answer(self) -> None:
        """Give one answer for every run that is due one, if the pace allows."""
        now = time.monotonic()
        if now - self._last_at < 1.0 / TEACHER_ANSWERS_PER_S:
            return
        self._last_at = now
        with reading(self._engine) as connection:
            taught = [
                r for r in runs.list_runs(connection) if r["teacher"] and r["state"] is RunState.RUNNING
            ]
        for run in taught:
            try:
                self._answer_one(run)
            except RlhfError as error:  # this run's trouble must not keep others from being drawn
                with writing(self._engine) as connection:
                    runs.update_run(connection, run["id"], teacher=None)
                    message = f"The teacher stopped answering: {error}"
                    runs.add_event(connection, run["id"], run["steps"], "error", message)

    def _answer_one(self, run: sa.RowMapping) -> None:
        config = resolve(get_task(run["task"]), run["overrides"])
        with reading(self._engine) as connection:
            due, given = answers_due(connection, run["id"], config, run["steps"])
        if run["baseline"] and given < due:
            ask_teacher(self._engine, self._blobs, run["id"], 1)
