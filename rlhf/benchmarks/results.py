"""What every benchmark leaves behind: a table, a plot, and how to get them again.

    measurements.csv    one row per measurement
    plot.svg
    summary.json        command, versions, hardware, settings and the summary that was printed

Single measurements are kept in the data folder while a benchmark runs, so that it goes on where it stopped.
"""

import ast
import csv
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhf.config import PROJECT_ROOT, Settings

RESULTS = PROJECT_ROOT / "rlhf" / "benchmarks" / "results"
TRAINING_CODE = (
    "policy",
    "experience",
    "types",
    "parallel.py",
    "seeding.py",
    "loop/train_on_true_reward.py",
)
LOOP_CODE = (*TRAINING_CODE[:-1], "loop", "reward", "queries", "feedback", "evaluation")
"""What ``simulate`` depends on."""
_OURS = ("torch", "gymnasium", "mujoco", "numpy")


def measured_once(name: str, key: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the measurement that belongs to ``key``, from the data folder if it was made before.

    Args:
        name: of the benchmark.
        key: everything the measurement depends on, JSON data.
        measure: makes it, JSON data.
    """
    kept = measured_before(name, key)
    if kept is not None:
        return kept
    measured = measure()
    path = _kept_path(name, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps({"key": dict(key), "measured": measured}, indent=1) + "\n")
    return measured


def measured_before(name: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the measurement that belongs to ``key`` if it was made before; see ``measured_once``."""
    path = _kept_path(name, key)
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["measured"]
    return found


def _kept_path(name: str, key: Mapping[str, Any]) -> Path:
    text = json.dumps(dict(key), sort_keys=True)
    folder = Settings.from_environment().data_dir / "benchmarks" / name
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"


def write_results(
    folder: Path, rows: Sequence[Mapping[str, Any]], plot: str, summary: Mapping[str, Any]
) -> None:
    """Write table, plot and summary; what was there before is replaced.

    Args:
        folder: where to.
        rows: measurements with the same keys each.
        plot: an SVG document.
        summary: JSON data; versions of our packages and the hardware are added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "measurements.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _write(folder / "plot.svg", plot)
    whole = {**summary, "hardware": hardware(), "versions": versions()}
    _write(folder / "summary.json", json.dumps(whole, indent=1) + "\n")


def source_digest(parts: Sequence[str] = TRAINING_CODE) -> str:
    """Return a short hash of folders and files of the package; docstrings and comments do not count.

    Args:
        parts: what the measurement depends on; by default the code that trains on the true reward.
    """
    sha = hashlib.sha256()
    for part in parts:
        root = PROJECT_ROOT / "rlhf" / part
        for path in [root] if root.suffix else sorted(root.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                if isinstance(body, list):
                    node.body = [n for n in body if not _is_text(n)]  # type: ignore[attr-defined]
            sha.update(ast.dump(tree).encode())
    return sha.hexdigest()[:12]


def hardware() -> dict[str, Any]:
    """Return processor, cores that this process may use, and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    return {"processor": _processor(), "cores": cores, "memory_gib": memory, "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of Python and of what our trainer stands on."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _OURS},
    }


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
