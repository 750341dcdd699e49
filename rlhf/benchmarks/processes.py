"""Verbs of the command line run as measurements: each in a process of its own, several beside each other.

A measurement that was made before is not made again (``results.measured_once``).
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhf.benchmarks.results import RESULTS, keep_with_results, measured_once
from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import ConfigError, JobError

Tell = Callable[[int, int, str], None]
"""Called as tell(done, in all, what is being waited for)."""


def add_seed_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare what a benchmark of paired seeds takes: how many, how many at a time, where it writes."""
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--first-seed", type=int, default=0, help="settings were tried on seeds 0 to 4; later ones are fresh"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--quick", action="store_true", help="two short runs each, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / name, metavar="FOLDER")


def seed_range(options: argparse.Namespace) -> range:
    """Return the seeds that ``add_seed_options`` was given.

    Raises:
        ConfigError: there are none, one is negative, or there are no jobs.
    """
    seeds, first = 2 if options.quick else options.seeds, options.first_seed
    if seeds < 1 or options.jobs < 1:
        raise ConfigError(f"--seeds is {seeds} and --jobs {options.jobs}; at least 1 is needed.")
    if first < 0:
        raise ConfigError(f"--first-seed is {first}; seeds start at 0.")
    return range(first, first + seeds)


def seeds_as_typed(options: argparse.Namespace) -> str:
    """Return the options that give the same seeds again."""
    seeds = seed_range(options)
    first = f" --first-seed {seeds.start}" if seeds.start else ""
    return ("--quick" if options.quick else f"--seeds {len(seeds)}") + first


def verb_report(arguments: Sequence[str]) -> dict[str, Any]:
    """Run ``python -m rlhf`` with these arguments and return what it reports with ``--json``.

    Raises:
        JobError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="preference-studio-") as folder:
        path = Path(folder) / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "rlhf", *arguments, "--json", str(path)],
            cwd=PROJECT_ROOT,
            env=child_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise JobError(f"rlhf {' '.join(arguments)} ended with status {done.returncode}: {last}")
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def measure_all(
    name: str,
    keys: Sequence[Mapping[str, Any]],
    measure: Callable[[Mapping[str, Any]], dict[str, Any]],
    describe: Callable[[Mapping[str, Any]], str],
    *,
    jobs: int,
    tell: Tell,
    keep_in: Path | None = None,
) -> list[dict[str, Any]]:
    """Return the measurement of every key, in their order; equal keys are measured once.

    Args:
        name: of the benchmark.
        keys: what each measurement depends on, JSON data.
        measure: makes the measurement of a key, in a thread; what it starts inherits the thread's cores.
        describe: a key in a few words, for people who wait.
        jobs: measurements at the same time. If more than one, each keeps to a core of its own, so that
            they do not take turns on each other's.
        tell: hears how far it is.
        keep_in: where the results will be: all measurements so far are kept there too.
    """
    cores = _free_cores(jobs)

    def measure_pinned(key: Mapping[str, Any]) -> dict[str, Any]:
        with _one_of(cores):
            return measured_once(name, key, lambda: measure(key))

    texts = [json.dumps(dict(key), sort_keys=True) for key in keys]
    distinct = dict(zip(texts, keys, strict=True))
    found: dict[str, dict[str, Any]] = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {text: pool.submit(measure_pinned, key) for text, key in distinct.items()}
        try:
            for done, (text, future) in enumerate(futures.items()):
                tell(done, len(futures), describe(distinct[text]))
                found[text] = future.result()
                if keep_in is not None:
                    keep_with_results(keep_in, name, keys)
        except BaseException:
            for future in futures.values():
                future.cancel()
            raise
    tell(len(futures), len(futures), "done")
    return [found[text] for text in texts]


@contextlib.contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Let processes that this thread starts inside use these cores only, where the system can say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this thread may use; empty where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _free_cores(jobs: int) -> "queue.SimpleQueue[int] | None":
    """Return a core for each of the jobs, dealt out in turn; None if they need none of their own."""
    usable = usable_cores()
    if jobs == 1 or not usable:
        return None
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for job in range(jobs):
        free.put(usable[job % len(usable)])
    return free


@contextlib.contextmanager
def _one_of(cores: "queue.SimpleQueue[int] | None") -> Iterator[None]:
    if cores is None:
        yield
        return
    core = cores.get()
    try:
        with on_cores([core]):
            yield
    finally:
        cores.put(core)
