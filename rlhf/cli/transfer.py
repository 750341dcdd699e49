"""``transfer``: learn a source task, then a target task with part of what was learned."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
    table,
)
from rlhf.cli.store import open_store
from rlhf.config import override
from rlhf.experience.tasks import get_task
from rlhf.policy.config import UPDATES
from rlhf.types.task import Task

if TYPE_CHECKING:
    from rlhf.loop.learned_reward import LearnedReward


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from rlhf.loop.transfer_task import ARMS

    parser.add_argument("--source", required=True, metavar="TASK", help="learned first, from scratch")
    parser.add_argument("--target", required=True, metavar="TASK", help="e.g. cartpole-balance+gravity=20")
    parser.add_argument(
        "--update", choices=UPDATES, default="adapters+head", help="what learns in the target"
    )
    parser.add_argument(
        "--reward",
        metavar="RUN[:VERSION]",
        help="learn the target from this run's learned reward, the newest version if none is named, and "
        "relabel past episodes by it; true returns are then reported only",
    )
    parser.add_argument("--steps", type=int, help="environment steps in the target")
    parser.add_argument("--source-steps", type=int, help="environment steps in the source")
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=("guarded",),
        metavar="ARM",
        help=f"ways to learn the target: {', '.join(ARMS)}. Only guarded, if none is named",
    )
    parser.add_argument(
        "--compare",
        dest="arms",
        action="store_const",
        const=ARMS,
        help="also without the guard, from scratch, behind a frozen random trunk, with all parameters, with "
        "the head alone, and without the source's past episodes",
    )
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Learn both tasks and report."""
    from rlhf.loop.transfer_task import TransferConfig, transfer

    settings: dict[str, object] = {"target.q.update": options.update, **parse_settings(options)}
    if options.steps is not None:
        settings["target.total_steps"] = options.steps
    if options.source_steps is not None:
        settings["source_steps"] = options.source_steps
    config = override(TransferConfig(), settings)
    source, target = get_task(options.source), get_task(options.target)
    reward = _find_reward(options.reward, target) if options.reward else None
    result = transfer(source, target, config, options.seed, tuple(options.arms), ProgressLine(), reward)
    taught, kinds = "", ["true"]
    if reward is not None:
        result["reward"] = {"run": reward.run_id, "version": reward.version}
        taught = (
            f" by the reward of run {reward.run_id}, version {reward.version}. True returns there are "
            "reported only: nothing is learned or chosen by them"
        )
        kinds.append("learned")
    text = (
        f"{result['source']} for {result['source_steps']:,} steps (true return "
        f"{result['source_return']:.1f}), then {result['task']} for {result['steps']:,}{taught}.\n\n"
        f"{_table(result['arms'], kinds)}"
    )
    return finish(options, result, text)


def _find_reward(named: str, target: Task) -> "LearnedReward":
    from rlhf.loop.learned_reward import find_reward

    engine, blobs = open_store()
    return find_reward(engine, blobs, named, target)


def _table(arms: Mapping[str, Mapping[str, Any]], kinds: Sequence[str]) -> str:
    """Return a row of text for each arm, with returns by these kinds of rewards."""
    returns = [name for kind in kinds for name in (f"{kind} return at first", "in the end")]
    rows = [
        (
            arm,
            f"{found['trainable_share']:.1%}",
            *(f"{point[f'{kind}_return']:.1f}" for kind in kinds for point in (found["curve"][0], found)),
            f"{found['source_return_after']:.1f}",
            f"kept {found['kept']}" if "kept" in found else "",
        )
        for arm, found in arms.items()
    ]
    return table(("arm", "learns", *returns, "source with this trunk", ""), rows)
