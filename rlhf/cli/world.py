"""``world``: let a run's world become another one, to see whether it notices."""

import argparse

from rlhf.cli.output import add_json_option, finish
from rlhf.cli.store import open_database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN")
    parser.add_argument("--task", required=True, help="another variant of its task, or the task without one")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Change the world and say so."""
    from rlhf.loop.change_world import change_world

    engine = open_database()
    change_world(engine, options.run_id, options.task)
    result = {"run": options.run_id, "task": options.task}
    return finish(options, result, f"The world of run {options.run_id} is {options.task} from now on.")
