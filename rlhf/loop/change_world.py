"""A run's world becomes another one under it: an experiment, in place of wear and tear.

The run is not told, but can be set to watch for that. Its environments go on from where they stand, by other
physics (``follow_world``); whoever looks at it later sees the world as it is by then. Light enough for the
web process.
"""

import sqlalchemy as sa

from rlhf.config import override
from rlhf.errors import ConfigError, JobError
from rlhf.experience.tasks import get_task
from rlhf.experience.variants import can_change_live
from rlhf.loop.config import WorldConfig
from rlhf.storage import runs
from rlhf.storage.engine import reading, writing


def change_world(engine: sa.Engine, run_id: str, task_name: str) -> None:
    """Let a run's environments follow another variant of its task from now on.

    Raises:
        NotFoundError, TaskError: there is no such run or task.
        ConfigError: it is another environment, the same variant, or one whose states cannot be set, so that
            what was seen before could not be shown any more.
        JobError: the run has no step left.
    """
    task = get_task(task_name)
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
    own = get_task(run["task"])
    if own.env_id != task.env_id or own.changes == task.changes:
        raise ConfigError(
            f"run {run_id} is of {own.name!r}, and {task_name!r} is no other variant of it; see "
            "`python -m rlhf tasks` for what can be changed."
        )
    if run["steps"] >= run["total_steps"]:
        raise JobError(f"run {run_id} has finished its {run['total_steps']:,} steps; start a new one.")
    if not can_change_live(task.env_id):
        raise ConfigError(
            f"the world of {own.name!r} cannot change under a run: its clips are replayed from the reset on, "
            "and would show something else. Tasks of classic control and MuJoCo can."
        )
    with writing(engine) as connection:
        runs.update_run(connection, run_id, task=task.name)
        message = f"The world was changed from {own.name} to {task.name}. The run was not told."
        runs.add_event(connection, run_id, runs.get_run(connection, run_id)["steps"], "world", message)


def let_watch(engine: sa.Engine, run_id: str, is_on: bool) -> None:
    """Let a run watch from its next turn on for changes of its world, or no longer.

    Raises:
        NotFoundError: there is no such run.
    """
    with writing(engine) as connection:
        run = runs.get_run(connection, run_id)
        runs.update_run(connection, run_id, overrides=run["overrides"] | {"world.watch": is_on})
        said = (
            "The run watches for changes of its world." if is_on else "The run no longer watches its world."
        )
        runs.add_event(connection, run_id, run["steps"], "watch", said)


def watches(run: runs.RunRow) -> bool:
    """Whether a run that has begun is set to watch for changes of its world."""
    at_first = (run["config"] or {}).get("world", {}).get("watch", False)
    return override(WorldConfig(), {"watch": run["overrides"].get("world.watch", at_first)}).watch
