"""``tasks``: list what can be taught."""

import argparse

from rlhf.cli.output import add_json_option, finish, table
from rlhf.experience.tasks import list_tasks
from rlhf.experience.variants import changes_of

_OTHERS = (
    "Any other Gymnasium environment works as gym:<EnvId>, and one of EnvPool, once that is installed, as "
    "envpool:<Id>."
)
_VARIANTS = (
    "Variants: a task's name and changes, as cartpole-balance+gravity=20+length=1. What can be changed:"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """List the presets."""
    tasks = list_tasks()
    result = {
        "tasks": [
            {
                "name": task.name,
                "goal": task.goal,
                "environment": task.env_id,
                "horizon": task.horizon,
                "segment_steps": task.segment_steps,
                "has_true_reward": task.has_true_reward,
                "changes": {name: change.usual for name, change in changes_of(task.env_id).items()},
            }
            for task in tasks
        ]
    }
    text = table(
        ("task", "goal", "environment", "horizon"), [(t.name, t.goal, t.env_id, t.horizon) for t in tasks]
    )
    variants = table(
        ("task", "change, usual value or 1 for a factor"),
        [
            (
                task.name,
                "  ".join(f"{name}={change.usual:g}" for name, change in changes_of(task.env_id).items()),
            )
            for task in tasks
            if changes_of(task.env_id)
        ],
    )
    return finish(options, result, f"{text}\n\n{_OTHERS}\n\n{_VARIANTS}\n\n{variants}")
