"""Tasks with goals by name, and their environments."""

import dataclasses
import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rlhf.errors import TaskError
from rlhf.experience.goal_envs import DYNAMICS, GymnasiumGoalEnvs, OwnGoalEnvs
from rlhf.experience.tasks import GYM_PREFIX
from rlhf.types.goals import GoalEnvs


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalTask:
    """An environment in which every episode has a goal of its own."""

    name: str
    """Unique name such as ``four-rooms`` or ``gym:<EnvId>``."""
    goal: str
    """What is to be learned, in words."""
    env_id: str
    """Gymnasium id."""
    env_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments for ``gymnasium.make``, such as how much wind there is."""
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Preset hyperparameters as dotted settings of ``loop.learn_goals.GoalConfig``."""


_OF_SIZE_ONE: Mapping[str, Any] = {"q.normalise": False}
"""Observations and goals in [-1, 1] already."""
_TASKS = (
    GoalTask(
        name="bitflip-15",
        goal="Make the row of 15 bits the one that is wanted",
        env_id="rlhf/BitFlip-v0",
        overrides={"total_steps": 120_000, **_OF_SIZE_ONE},
    ),
    GoalTask(
        name="four-rooms",
        goal="Walk to a cell of another room",
        env_id="rlhf/FourRooms-v0",
        overrides={"total_steps": 60_000, "updates_per_step": 0.5, "q.target_rate": 0.02, **_OF_SIZE_ONE},
    ),
    GoalTask(
        name="car-park",
        goal="Bring the car into a bay, pointing the right way",
        env_id="rlhf/CarPark-v0",
        overrides={"total_steps": 150_000, **_OF_SIZE_ONE},
    ),
)

GOAL_TASKS: Mapping[str, GoalTask] = MappingProxyType({task.name: task for task in _TASKS})


def get_goal_task(name: str) -> GoalTask:
    """Return the task of this name: one of ours, or ``gym:<EnvId>`` or ``gym:<module>:<EnvId>``.

    Raises:
        TaskError: there is no such task.
    """
    if name in GOAL_TASKS:
        return GOAL_TASKS[name]
    if name.startswith(GYM_PREFIX):
        return GoalTask(name=name, goal="Reach the goal", env_id=name.removeprefix(GYM_PREFIX))
    near = difflib.get_close_matches(name, GOAL_TASKS, n=1, cutoff=0.4) or list(GOAL_TASKS)
    raise TaskError(
        f"there is no task with goals {name!r}; the closest are {', '.join(near)}. Environments that follow "
        "the interface of Gymnasium-Robotics work as gym:<EnvId> or gym:<module>:<EnvId>."
    )


def make_goal_envs(task: GoalTask, num_envs: int) -> GoalEnvs:
    """Return ``num_envs`` environments of a task.

    Raises:
        TaskError: they cannot be made.
    """
    if task.env_id in DYNAMICS:
        return OwnGoalEnvs(DYNAMICS[task.env_id](**task.env_kwargs), num_envs)
    return GymnasiumGoalEnvs(task.env_id, num_envs, **task.env_kwargs)
