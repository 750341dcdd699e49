"""``export``: the answers of a run as files, for a backup, for a spreadsheet, or for other programs."""

import argparse
from pathlib import Path

from rlhf.cli.output import add_json_option, finish
from rlhf.cli.store import open_store
from rlhf.errors import ConfigError
from rlhf.loop import export_answers, export_arrays
from rlhf.storage.archives import write_file, write_folder, zipped

FORMATS = ("jsonl", "csv", "npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN")
    parser.add_argument(
        "--format", choices=FORMATS, required=True, help="everything, a flat table, or arrays of pairs"
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="jsonl: a folder, or a file named *.zip")
    parser.add_argument("--clips", action="store_true", help="the drawn clips too (jsonl)")
    parser.add_argument(
        "--with-true-rewards", action="store_true", help="the task's own rewards too, in files of their own"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier export")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write the files."""
    if options.clips and options.format != "jsonl":
        raise ConfigError(f"--clips goes with --format jsonl; {options.format} has no place for them.")
    if options.with_true_rewards and options.format == "csv":
        raise ConfigError("--with-true-rewards goes with --format jsonl or npz; a csv has no arrays.")
    engine, blobs = open_store()
    run_id, path, force = options.run_id, options.path, options.force
    written = [path]
    if options.format == "csv":
        write_file(path, export_answers.table(engine, run_id), force=force)
    elif options.format == "npz":
        write_file(path, zipped(export_arrays.arrays(engine, blobs, run_id)), force=force)
        if options.with_true_rewards:
            written.append(path.with_name(f"{path.stem}-true-rewards{path.suffix}"))
            entries = export_arrays.true_reward_arrays(engine, blobs, run_id)
            write_file(written[-1], zipped(entries), force=force)
    else:
        entries = export_answers.everything(
            engine, blobs, run_id, clips=options.clips, with_true_rewards=options.with_true_rewards
        )
        if path.suffix == ".zip":
            write_file(path, zipped(entries), force=force)
        else:
            write_folder(path, entries, force=force)
    result = {"run": run_id, "format": options.format, "files": [str(found) for found in written]}
    return finish(options, result, f"Written to {' and '.join(result['files'])}.")
