"""``demonstrate``: record episodes of a task's scripted expert into a run."""

import argparse

import numpy as np

from rlhf.cli.output import add_json_option, add_seed_option, finish
from rlhf.cli.store import open_store
from rlhf.errors import ConfigError
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.start_run import new_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--run", metavar="RUN", help="the run that the episodes are for")
    where.add_argument("--task", help="make a new run of this task for them")
    parser.add_argument(
        "--expert", action="store_true", required=True, help="who shows them; people do it on the page"
    )
    parser.add_argument("--episodes", type=int, default=5, metavar="N", help="how many")
    add_seed_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Record the episodes and say how good they were."""
    if options.episodes < 1:
        raise ConfigError(f"--episodes is {options.episodes}; it must be at least 1.")
    engine, blobs = open_store()
    run_id = options.run or new_run(engine, options.task, seed=options.seed)
    returns = demonstrate_by_expert(engine, blobs, run_id, options.episodes)
    result = {"run": run_id, "episodes": len(returns), "true_returns": returns}
    text = f"{len(returns)} episodes for run {run_id}, true return {np.mean(returns):.1f} on average."
    return finish(options, result, text)
