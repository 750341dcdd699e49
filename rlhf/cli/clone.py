"""``clone``: let a run start by imitating what was shown to it, and say how well that imitates."""

import argparse
import dataclasses

from rlhf.cli.output import add_json_option, finish
from rlhf.cli.store import open_store
from rlhf.experience.tasks import get_task
from rlhf.loop.start_run import let_imitate
from rlhf.storage import runs
from rlhf.storage.engine import reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN", help="a run that has not begun")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Set the run, imitate once to see how it goes, and report."""
    from rlhf.loop.clone_policy import try_clone
    from rlhf.loop.report import evaluate_acting

    engine, blobs = open_store()
    policy, report = try_clone(engine, blobs, options.run_id)
    let_imitate(engine, options.run_id, True)
    with reading(engine) as connection:
        row = runs.get_run(connection, options.run_id)
    task = get_task(row["task"])
    result = {"run": options.run_id, **dataclasses.asdict(report)}
    text = (
        f"Run {options.run_id} will start by imitating {report.num_episodes} episodes ({report.num_steps:,} "
        f"steps): held-out log-likelihood {-report.held_out_nll:.2f} nats a step"
    )
    if task.has_true_reward:
        result["true_return"] = evaluate_acting(task, policy, row["seed"], policy.version)
        text += f", true return {result['true_return']['mean']:.1f}"
    return finish(options, result, text + ".")
