"""``tasks``: list what can be taught."""

import argparse

from rlhf.cli.output import add_json_option, finish, table
from rlhf.experience.tasks import list_tasks

_OTHERS = (
    "Any other Gymnasium environment works as gym:<EnvId>, and one of EnvPool, once that is installed, as "
    "envpool:<Id>."
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
            }
            for task in tasks
        ]
    }
    text = table(
        ("task", "goal", "environment", "horizon"), [(t.name, t.goal, t.env_id, t.horizon) for t in tasks]
    )
    return finish(options, result, f"{text}\n\n{_OTHERS}")
