"""``finetune``: a run that starts from what another one has learned."""

import argparse
from typing import Any

from rlhf.cli.output import (
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
)
from rlhf.cli.store import open_store
from rlhf.loop.fork_run import fork_run
from rlhf.loop.look_at_source import PARTS, look_at_source
from rlhf.loop.start_run import start_run
from rlhf.policy.config import UPDATES
from rlhf.storage import origins
from rlhf.storage.engine import reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN", help="the run to start from")
    parser.add_argument("--task", help="of the new run; the same if not given")
    parser.add_argument(
        "--policy",
        type=_policy,
        metavar="VERSION|best",
        default="best",
        help="which saved policy; best: the one that the run's own reward likes best",
    )
    parser.add_argument(
        "--take",
        type=_parts,
        metavar=",".join(PARTS),
        help="what to take over; whatever fits if not given",
    )
    parser.add_argument(
        "--update", choices=UPDATES, default="all", help="which parameters of the policy learn"
    )
    parser.add_argument("--teacher", metavar="SPEC", help="let a synthetic teacher answer")
    parser.add_argument("--start", action="store_true", help="start it at once")
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Add the run and say what it took."""
    engine, blobs = open_store()
    run_id = fork_run(
        engine,
        blobs,
        options.run_id,
        task=options.task,
        take=options.take,
        policy_version=options.policy,
        update=options.update,
        seed=options.seed,
        teacher=options.teacher,
        overrides=parse_settings(options),
        by="command line",
    )
    if options.start:
        start_run(engine, run_id)
    with reading(engine) as connection:
        origin = origins.find_origin(connection, run_id)
    assert origin is not None
    taken = list(origins.taken(origin))
    result: dict[str, Any] = {
        "run": run_id,
        "source": options.run_id,
        "taken": taken,
        "policy_version": origin["policy_version"],
        "reward_version": origin["reward_version"],
        "num_answers": origin["num_answers"],
    }
    text = f"Run {run_id} starts from run {options.run_id} with its {', '.join(taken)}"
    if origin["policy_version"] is not None:
        source = look_at_source(
            engine, blobs, options.run_id, task=options.task, policy_version=origin["policy_version"]
        )
        learned, total = source.count_learned(options.update)
        result |= {"update": options.update, "learned_parameters": learned, "parameters": total}
        text += f" (policy version {origin['policy_version']}; {learned:,} of {total:,} parameters learn)"
    return finish(options, result, text + ".")


def _policy(text: str) -> int | None:
    if text == "best":
        return None
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither the number of a saved policy nor 'best'")
    return int(text)


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if unknown := sorted(set(parts) - set(PARTS)):
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)} cannot be taken; what can be: {', '.join(PARTS)}"
        )
    return parts
