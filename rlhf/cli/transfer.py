"""``transfer``: learn a source task, then a target task with part of what was learned."""

import argparse

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
    table,
)
from rlhf.config import override
from rlhf.experience.tasks import get_task
from rlhf.policy.config import UPDATES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--source", required=True, metavar="TASK", help="learned first, from scratch")
    parser.add_argument("--target", required=True, metavar="TASK", help="e.g. cartpole-balance+gravity=20")
    parser.add_argument(
        "--update", choices=UPDATES, default="adapters+head", help="what learns in the target"
    )
    parser.add_argument("--steps", type=int, help="environment steps in the target")
    parser.add_argument("--source-steps", type=int, help="environment steps in the source")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also without the guard, from scratch, behind a frozen random trunk, with all parameters, with "
        "the head alone, and without the source's past episodes",
    )
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Learn both tasks and report."""
    from rlhf.loop.transfer_task import ARMS, TransferConfig, transfer

    settings: dict[str, object] = {"target.q.update": options.update, **parse_settings(options)}
    if options.steps is not None:
        settings["target.total_steps"] = options.steps
    if options.source_steps is not None:
        settings["source_steps"] = options.source_steps
    config = override(TransferConfig(), settings)
    arms = ARMS if options.compare else ("guarded",)
    result = transfer(
        get_task(options.source), get_task(options.target), config, options.seed, arms, ProgressLine()
    )
    rows = [
        (
            arm,
            f"{found['trainable_share']:.1%}",
            f"{found['curve'][0]['true_return']:.1f}",
            f"{found['true_return']:.1f}",
            f"{found['source_return_after']:.1f}",
            f"kept {found['kept']}" if "kept" in found else "",
        )
        for arm, found in result["arms"].items()
    ]
    header = ("arm", "learns", "return at first", "in the end", "source with this trunk", "")
    text = (
        f"{result['source']} for {result['source_steps']:,} steps (true return "
        f"{result['source_return']:.1f}), then {result['task']} for {result['steps']:,}.\n\n"
        f"{table(header, rows)}"
    )
    return finish(options, result, text)
