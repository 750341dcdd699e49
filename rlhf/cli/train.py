"""``train``: PPO on the true reward."""

import argparse

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
    training_text,
)
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", required=True)
    parser.add_argument("--steps", type=int, help="environment steps; the task's own number if not given")
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Train and report."""
    from rlhf.loop.train_on_true_reward import train_on_true_reward

    settings: dict[str, object] = dict(parse_settings(options))
    if options.steps is not None:
        settings["schedule.total_steps"] = options.steps
    task = get_task(options.task)
    result = train_on_true_reward(task, resolve(task, settings), options.seed, ProgressLine())
    return finish(options, result, training_text(result))
