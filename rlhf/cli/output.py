"""What verbs print: tables and a progress line for people, one JSON object for programs."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhf.errors import ConfigError, StorageError

_PROGRESS_S = 0.2
_BAR = 24


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=_json_target,
        help="write the result as one JSON object; - for standard output",
    )


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed``."""
    parser.add_argument("--seed", type=_seed, default=0, help="the same seed gives the same run")


def add_settings_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--set a.b=c``."""
    parser.add_argument(
        "--set",
        metavar="A.B=C",
        action="append",
        nargs="+",
        default=[],
        dest="settings",
        help="change a setting",
    )


def parse_settings(options: argparse.Namespace) -> dict[str, str]:
    """Return the ``--set`` options as dotted overrides.

    Raises:
        ConfigError: one has no '='.
    """
    settings = {}
    for text in (item for group in options.settings for item in group):
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise ConfigError(f"--set {text!r} must look like ppo.learning_rate=0.001.")
        settings[name] = value
    return settings


def finish(options: argparse.Namespace, result: Mapping[str, Any], text: str) -> int:
    """Print the text for people, or the JSON where it was asked for; return exit status 0."""
    if options.json is None:
        print(text)
    elif options.json == "-":
        print(json.dumps(result))
    else:
        print(text)  # first: if the file cannot be written, hours of work are not lost with it
        path = Path(options.json)
        part = path.with_name(path.name + ".part")
        try:
            part.write_text(json.dumps(result, indent=1) + "\n")
            part.replace(path)
        except OSError as error:
            raise StorageError(f"the result could not be written to {path}: {error}.") from error
    return 0


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**31 - 1}")
    return int(text)


def _json_target(text: str) -> str:
    """Check where the result is to go before the work is done."""
    path = Path(text)
    if text != "-" and (path.is_dir() or not path.parent.is_dir()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a file in a folder that exists")
    return text


def clip_target(text: str) -> Path:
    """Check where a clip is to go before the work is done."""
    path = Path(text)
    if path.suffix != ".mp4" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not an .mp4 file in a folder that exists")
    return path


def write_clip(path: Path, clip: bytes) -> None:
    """Write a clip.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.write_bytes(clip)
    except OSError as error:
        raise StorageError(f"the clip could not be written to {path}: {error}.") from error


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


class ProgressLine:
    """A progress bar on a terminal's standard error; silent elsewhere."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, steps: int, total_steps: int, text: str) -> None:
        """Show how far a run is."""
        now = time.monotonic()
        done = steps >= total_steps
        if not self._is_terminal or (now - self._shown_at < _PROGRESS_S and not done):
            return
        self._shown_at = now
        filled = min(_BAR, _BAR * steps // max(1, total_steps))
        line = f"{'#' * filled}{'.' * (_BAR - filled)} {steps:>9,} / {total_steps:,}  {text}"
        print(f"\r\033[K{line}", end="\n" if done else "", file=sys.stderr, flush=True)


def training_text(result: Mapping[str, Any]) -> str:
    """Return the report of a training verb for people."""
    true_return = result["true_return"]
    rows = [
        ("task", result["task"]),
        ("seed", result["seed"]),
        ("steps", f"{result['steps']:,} in {result['wall_s']:.1f} s ({result['steps_per_second']:,.0f}/s)"),
        ("time by stage", ", ".join(f"{k} {v:.1f} s" for k, v in result["seconds"].items() if v)),
        ("true return", f"{true_return['mean']:.1f} (random policy {result['random_return']:.1f})"),
        ("peak memory", f"{result['peak_rss_mb']:.0f} MiB"),
    ]
    if "labels" in result:
        rows.append(("labels", ", ".join(f"{v} {k}" for k, v in result["labels"].items())))
        rows.append(("teacher", result["teacher"]))
        for key in ("audit_accuracy", "reward_spearman"):
            rows.append((key.replace("_", " "), "unknown" if result[key] is None else f"{result[key]:.3f}"))
    return "\n".join(f"{name:<16}{value}" for name, value in rows)
