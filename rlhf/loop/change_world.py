"""A run's world becomes another one under it: an experiment, in place of wear and tear.

The run is not told. Its environments go on from where they stand, by other physics; whoever looks at it later
sees the world as it is by then.
"""

import sqlalchemy as sa

from rlhf.errors import ConfigError, JobError
from rlhf.experience.rollout import Collector
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import VectorStepper
from rlhf.loop.processes import num_processes
from rlhf.loop.session import Session
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
    stepper = VectorStepper(task, 1, 0)
    has_states = stepper.sim_states is not None
    stepper.close()
    if not has_states:
        raise ConfigError(
            f"the world of {own.name!r} cannot change under a run: its clips are replayed from the reset on, "
            "and would show something else. Tasks of classic control and MuJoCo can."
        )
    with writing(engine) as connection:
        runs.update_run(connection, run_id, task=task.name)
        message = f"The world was changed from {own.name} to {task.name}. The run was not told."
        runs.add_event(connection, run_id, runs.get_run(connection, run_id)["steps"], "world", message)


def follow_world(session: Session) -> None:
    """Step by the physics of the run's task as it is now, from where the environments stand."""
    with reading(session.engine) as connection:
        name = runs.get_run(connection, session.run_id)["task"]
    if name == session.task.name:
        return
    task, before = get_task(name), session.collector
    stepper = VectorStepper(
        task, before.stepper.num_envs, session.seed, processes=num_processes(session.config)
    )
    session.collector = Collector(stepper)
    session.collector.load_state_dict(before.state_dict())
    session.task = task
    before.stepper.close()
