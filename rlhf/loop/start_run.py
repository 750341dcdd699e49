"""Making, starting, pausing and stopping runs: what pages and the command line ask for. No torch."""

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.config import override
from rlhf.errors import FeedbackError, JobError, TaskError
from rlhf.experience.tasks import get_task, has_expert
from rlhf.feedback.teachers import parse_teacher
from rlhf.loop.config import DemonstrationConfig, resolve
from rlhf.loop.find_source import check_source
from rlhf.storage import jobs, models, runs
from rlhf.storage.engine import writing
from rlhf.types.run import JobKind, RunState


def new_run(
    engine: sa.Engine,
    task_name: str,
    *,
    seed: int = 0,
    teacher: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """Add a run and return its id; nothing happens before ``start_run``.

    Raises:
        TaskError, FeedbackError, ConfigError: the task, teacher or a setting cannot be used.
        NotFoundError: the reward to start from is not there.
    """
    task = get_task(task_name)
    config = resolve(task, overrides or {})
    if teacher is not None:
        check_teacher(teacher, task_name)
    with writing(engine) as connection:
        check_source(connection, task, config)
        return runs.insert_run(
            connection,
            task=task_name,
            goal=task.goal,
            seed=seed,
            teacher=teacher,
            overrides=dict(overrides or {}),
            total_steps=config.schedule.total_steps,
        )


def start_run(engine: sa.Engine, run_id: str) -> None:
    """Want a run to go on: new, paused, stopped or failed, from its last checkpoint.

    Raises:
        JobError: it has finished.
    """
    with writing(engine) as connection:
        runs.set_wanted(connection, run_id, RunState.RUNNING)
        runs.update_run(connection, run_id, error=None, message="Waiting for the trainer.")
        if runs.get_run(connection, run_id)["state"].is_over:
            runs.update_run(connection, run_id, state=RunState.PAUSED)  # no longer over, not yet running
        jobs.enqueue(connection, run_id, JobKind.TRAIN, run_id)


def pause_run(engine: sa.Engine, run_id: str) -> None:
    """Want a run to save itself and wait; at once if no worker has it."""
    _halt(engine, run_id, RunState.PAUSED)


def stop_run(engine: sa.Engine, run_id: str) -> None:
    """Want a run to save itself and end; it can be started again."""
    _halt(engine, run_id, RunState.STOPPED)


def set_teacher(engine: sa.Engine, run_id: str, teacher: str | None) -> None:
    """Let a synthetic teacher answer from now on, or nobody but people (None).

    Raises:
        FeedbackError: the description is not understood, or the task has no true reward to judge by.
    """
    with writing(engine) as connection:
        run = runs.get_run(connection, run_id)
        if teacher is not None:
            check_teacher(teacher, run["task"])
        runs.update_run(connection, run_id, teacher=teacher)
        who = "People answer." if teacher is None else f"The teacher {teacher!r} answers too."
        runs.add_event(connection, run_id, run["steps"], "teacher", who)


def ask_expert(engine: sa.Engine, run_id: str, num_episodes: int) -> None:
    """Have the task's scripted expert show episodes, as soon as a worker is free.

    Raises:
        TaskError: the task has no scripted expert.
    """
    with writing(engine) as connection:
        task_name = runs.get_run(connection, run_id)["task"]
        if not has_expert(task_name):
            raise TaskError(f"task {task_name!r} has no scripted expert; record an episode by hand instead.")
        jobs.enqueue(connection, run_id, JobKind.DEMONSTRATE, f"{num_episodes}:{uuid.uuid4().hex}")


def let_imitate(engine: sa.Engine, run_id: str, is_on: bool) -> None:
    """Let a run that has not begun start by imitating what is shown to it, or from scratch.

    Raises:
        JobError: it has begun; its policy has learned something else.
    """
    with writing(engine) as connection:
        run = runs.get_run(connection, run_id)
        if has_begun(run):
            raise JobError(f"run {run_id} has begun; show episodes to a new run and let that imitate them.")
        runs.update_run(connection, run_id, overrides=run["overrides"] | {"demonstrations.clone": is_on})


def is_to_imitate(run: runs.RunRow) -> bool:
    """Whether a run's settings let it start by imitating what is shown to it."""
    value = run["overrides"].get("demonstrations.clone", False)
    return override(DemonstrationConfig(), {"clone": value}).clone


def has_begun(run: runs.RunRow) -> bool:
    """Whether a worker has ever had the run, so that what it starts from is settled."""
    return run["config"] is not None  # which is written then


def ask_replay(engine: sa.Engine, run_id: str, policy_version: int, reset_seed: int) -> None:
    """Have an episode of a saved policy recorded from a start of choice, unless it was asked for before.

    Raises:
        NotFoundError: there is no such saved policy.
    """
    with writing(engine) as connection:
        models.get_policy_version(connection, run_id, policy_version)
        if models.find_replay(connection, run_id, policy_version, reset_seed) is None:
            replay_id = models.insert_replay(connection, run_id, policy_version, reset_seed)
            jobs.enqueue(connection, run_id, JobKind.REPLAY, replay_id)


def check_teacher(teacher: str, task_name: str) -> None:
    """Check that a synthetic teacher is understood and can judge a task.

    Raises:
        FeedbackError: it is not, or cannot.
    """
    parse_teacher(teacher)
    if not get_task(task_name).has_true_reward:
        raise FeedbackError(f"task {task_name!r} has no true reward, so no synthetic teacher can judge it.")


def _halt(engine: sa.Engine, run_id: str, wanted: RunState) -> None:
    with writing(engine) as connection:
        run = runs.get_run(connection, run_id)
        if run["state"].is_over and run["wanted"] is not RunState.RUNNING:
            return
        runs.set_wanted(connection, run_id, wanted)
        if not jobs.is_claimed(connection, JobKind.TRAIN, run_id):
            runs.update_run(connection, run_id, state=wanted, message=f"{wanted.value.capitalize()}.")
