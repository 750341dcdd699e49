"""``import``: what ``export --format jsonl`` wrote, into a run or a new one."""

import argparse
import dataclasses
from pathlib import Path

from rlhf.cli.output import add_json_option, finish
from rlhf.cli.store import open_store
from rlhf.loop.import_answers import import_answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN", help="made, and not started, if there is none of that id")
    parser.add_argument("--format", choices=("jsonl",), required=True)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder or zip file")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Read the files."""
    engine, blobs = open_store()
    found = import_answers(engine, blobs, options.path, options.run_id, by="command line")
    kind = "new run" if found.is_new_run else "run"
    text = (
        f"{found.num_answers:,} rows of answers and {found.num_demonstrations:,} demonstrations added to "
        f"{kind} {found.run_id}; {found.num_known:,} rows of answers were there already."
    )
    return finish(options, dataclasses.asdict(found), text)
