"""A run's environments follow the world that its task has become; see ``change_world``."""

from rlhf.experience.rollout import Collector
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import VectorStepper
from rlhf.loop.processes import num_processes
from rlhf.loop.session import Session
from rlhf.storage import runs
from rlhf.storage.engine import reading


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
