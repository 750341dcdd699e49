"""``simulate``: the whole preference loop with a synthetic teacher.

Works in a store of its own, so that it neither disturbs nor fills the app's: a temporary one, or one to keep.
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
    training_text,
)
from rlhf.config import Settings
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.start_run import new_run
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", required=True)
    parser.add_argument(
        "--teacher", default="oracle", metavar="SPEC", help="e.g. oracle, mistake:0.1, oracle+skip"
    )
    parser.add_argument("--labels", type=int, help="answers in all")
    parser.add_argument("--steps", type=int, help="environment steps")
    parser.add_argument(
        "--demonstrations",
        type=int,
        default=0,
        metavar="N",
        help="episodes that a scripted expert shows first",
    )
    parser.add_argument(
        "--change",
        type=_change,
        metavar="STEPS:TASK",
        help="let the world become another variant of the task after so many steps",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the run there; RLHF_DATA_DIR=FOLDER shows it in the app",
    )
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Simulate and report."""
    import torch

    from rlhf.loop.simulate import simulate

    torch.set_num_threads(1)
    settings: dict[str, object] = dict(parse_settings(options))
    for name, value in (("total_steps", options.steps), ("labels", options.labels)):
        if value is not None:
            settings[f"schedule.{name}"] = value
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="preference-studio-"))
        store = Settings.from_environment({"RLHF_DATA_DIR": str(folder)})
        engine = open_engine(store.database_url)
        stack.callback(engine.dispose)
        migrate(engine)
        run_id = new_run(engine, options.task, seed=options.seed, teacher=options.teacher, overrides=settings)
        blobs = Blobs(store.blob_url)
        if options.demonstrations:
            demonstrate_by_expert(engine, blobs, run_id, options.demonstrations)
        result = simulate(engine, blobs, run_id, ProgressLine(), change=options.change)
    return finish(options, result, training_text(result))


def _change(text: str) -> tuple[int, str]:
    steps, _, task = text.partition(":")
    if not steps.isdecimal() or not task:
        raise argparse.ArgumentTypeError(f"{text!r} does not look like 20000:cartpole-balance+gravity=20")
    return int(steps), task
