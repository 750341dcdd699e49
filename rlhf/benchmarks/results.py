"""What every benchmark leaves behind: a table, a plot, and how to get them again.

    measurements.csv    one row per measurement
    plot.svg
    summary.json        command, settings, the summary that was printed, and on which machines it was measured

Single measurements are kept in the data folder while a benchmark runs, so that it goes on where it stopped;
benchmarks of many hours keep them beside their results too.
"""

import ast
import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhf.config import PROJECT_ROOT, Settings
from rlhf.types.task import Task

RESULTS = PROJECT_ROOT / "rlhf" / "benchmarks" / "results"
KEPT = "runs.jsonl"
"""Beside a benchmark's results: its single measurements, so that it goes on elsewhere too."""
TRAIN, SIMULATE = "rlhf.loop.train_on_true_reward", "rlhf.loop.simulate"
"""What most measurements run, as ``code_digest`` takes it."""
PRESETS_MODULE = "rlhf.experience.presets"
"""Need not count where a key holds ``task_settings`` and the run's configuration."""
_PLUMBING = ("rlhf.storage", "rlhf.benchmarks")
"""Packages that change no measurement."""
_OURS = ("torch", "gymnasium", "mujoco", "numpy")
_UNKNOWN = "not recorded"
"""In place of the machine of older measurements."""
_Kept = Mapping[str, Any]
"""A kept measurement: ``measured``, and ``made_on``, a ``machine``, unless it is an older one."""


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
    found = {"key": dict(key), "made_on": machine(), "measured": measured}
    _write(path, json.dumps(found, indent=1) + "\n")
    return measured


def measured_before(name: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the measurement that belongs to ``key`` if it was made here before or is among the results."""
    found = _kept(name, key)
    return None if found is None else found["measured"]


def made_on(name: str, keys: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the different machines, see ``machine``, that those measurements that there are come from."""
    machines: list[Any] = []
    for key in keys:
        found = _kept(name, key)
        if found is not None and (one := found.get("made_on", _UNKNOWN)) not in machines:
            machines.append(one)
    return machines


def keep_with_results(folder: Path, name: str, keys: Sequence[Mapping[str, Any]]) -> None:
    """Write those of a benchmark's measurements that there are beside its results, one a line.

    Others that are there, of arms that were not asked for now, stay.
    """
    found = _kept_in(folder / KEPT)
    for key in keys:
        if (kept := _kept(name, key)) is not None:
            found[_kept_path(name, key).stem] = {k: kept[k] for k in ("made_on", "measured") if k in kept}
    lines = [json.dumps({"id": one, **kept}) for one, kept in found.items()]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / KEPT, "".join(f"{line}\n" for line in lines))


def _kept(name: str, key: Mapping[str, Any]) -> _Kept | None:
    path = _kept_path(name, key)
    if path.exists():
        found: _Kept = json.loads(path.read_text(encoding="utf-8"))
        return found
    return _committed().get(path.stem)


@functools.cache
def _committed() -> dict[str, _Kept]:
    files = sorted(RESULTS.glob(f"*/{KEPT}"))
    return {one: kept for path in files for one, kept in _kept_in(path).items()}


def _kept_in(path: Path) -> dict[str, _Kept]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line.pop("id"): line for line in lines}


def _kept_path(name: str, key: Mapping[str, Any]) -> Path:
    text = json.dumps(dict(key), sort_keys=True)
    folder = Settings.from_environment().data_dir / "benchmarks" / name
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"


def write_results(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    plot: str,
    summary: Mapping[str, Any],
    machines: Sequence[Any] | None = None,
) -> None:
    """Write table, plot and summary; what was there before is replaced.

    Args:
        folder: where to.
        rows: measurements with the same keys each.
        plot: an SVG document.
        summary: JSON data.
        machines: what was measured on, from ``made_on``; left out, it was all measured here and now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "measurements.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _write(folder / "plot.svg", plot)
    whole = {**summary, "made_on": [machine()] if machines is None else machines}
    _write(folder / "summary.json", json.dumps(whole, indent=1) + "\n")


@functools.cache
def code_digest(*modules: str, but: tuple[str, ...] = ()) -> str:
    """Return a short hash of modules and all of ours that they import; texts and comments do not count.

    Args:
        modules: what a measurement runs, such as ``rlhf.loop.simulate``.
        but: modules that do not count, because what is used of them is known otherwise.
    """
    sha = hashlib.sha256()
    for name, tree in sorted(_imported(modules, but).items()):
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [n for n in body if not _is_text(n)]  # type: ignore[attr-defined]
        sha.update(name.encode() + ast.dump(tree).encode())
    return sha.hexdigest()[:12]


def task_settings(task: Task) -> dict[str, Any]:
    """Return what a preset says of its task as JSON data, but for the settings that it suggests."""
    found = dataclasses.asdict(dataclasses.replace(task, overrides={}, expert=None))
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in found.items()}


def _imported(modules: Sequence[str], but: Sequence[str]) -> dict[str, ast.Module]:
    """Return the syntax of modules and of all of ours that they import, by name."""
    trees: dict[str, ast.Module] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        path = PROJECT_ROOT.joinpath(*name.split(".")).with_suffix(".py")
        is_plumbing = name.startswith(_PLUMBING) and name not in modules
        if name in trees or name in but or is_plumbing or not path.exists():
            continue
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(trees[name]):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rlhf"):
                todo += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                todo += [alias.name for alias in node.names if alias.name.startswith("rlhf.")]
    return trees


def machine() -> dict[str, Any]:
    """Return the hardware and the versions of what our trainer stands on."""
    return {"hardware": hardware(), "versions": versions()}


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
