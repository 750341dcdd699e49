"""A run follows what its world has become, and whether it is to watch for that; see ``change_world``."""

import dataclasses

from rlhf.experience.rollout import Collector
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import VectorStepper
from rlhf.loop.change_world import watches
from rlhf.loop.processes import num_processes
from rlhf.loop.session import Session, world_state
from rlhf.storage import runs
from rlhf.storage.engine import reading


def follow_world(session: Session) -> None:
    """Step by the physics of the run's task as it is now, from where the environments stand.

    And watch for that or not, as the run is set to by now: a model that begins to watch knows nothing yet.
    """
    with reading(session.engine) as connection:
        run = runs.get_run(connection, session.run_id)
    if watches(run) != session.config.world.watch:
        world = dataclasses.replace(session.config.world, watch=watches(run))
        session.config = dataclasses.replace(session.config, world=world)
        session.world = world_state(session.config, session.collector.stepper, session.seed)
    if run["task"] == session.task.name:
        return
    task, before = get_task(run["task"]), session.collector
    stepper = VectorStepper(
        task, before.stepper.num_envs, session.seed, processes=num_processes(session.config)
    )
    session.collector = Collector(stepper)
    session.collector.load_state_dict(before.state_dict())
    session.task = task
    before.stepper.close()
