"""``ppo-speed``: how fast our PPO trains beside Stable-Baselines3 and SBX, and how fast it could at most.

Every measurement is a process of its own. The rounds are interleaved (ours, SB3, SBX, raw, ours, ...), so
that a machine that is busy for a while is busy for all. Timed is the training loop after a warm-up: neither
imports nor compilation. Round k uses seed k, and the return reached in equal steps (the mean of the episodes
that end in the last quarter) is reported beside the rate. The environments run without normalising wrappers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import iqm_interval
from rlhf.benchmarks.processes import Tell, on_cores, usable_cores
from rlhf.benchmarks.results import RESULTS, TRAIN, code_digest, measured_once, write_results
from rlhf.benchmarks.svg import Panel, Series, dots
from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import ConfigError, JobError

NAME = "ppo-speed"
ENVS = ("CartPole-v1", "LunarLander-v3", "Hopper-v5", "HalfCheetah-v5")
PEERS = {"sb3": "stable-baselines3", "sbx": "sbx-rl"}
"""Side -> distribution."""
_FOLDER = Path(__file__).resolve().parent
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CONFIGURATION: Mapping[str, Any] = {
    "num_envs": 8,
    "num_steps": 256,
    "num_epochs": 10,
    "minibatch_size": 64,
    "hidden": [64, 64],
    "learning_rate": 3e-4,
    "discount": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "max_grad_norm": 0.5,
    "initial_log_std": 0.0,
}
"""The same for all; everything else is each library's own default."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--envs", nargs="+", default=list(ENVS), metavar="ENV")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=98_304, help="timed environment steps per measurement")
    parser.add_argument("--warm-up", type=int, default=4096, help="steps before the clock starts")
    parser.add_argument("--threads", type=int, default=1, help="cores and threads each process may use")
    parser.add_argument(
        "--peers",
        default=sys.executable,
        metavar="PYTHON",
        help="interpreter that has rlhf/benchmarks/requirements.txt installed",
    )
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure everything that is not measured yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a measurement failed.
    """
    rounds, steps = (1, 8192) if options.quick else (options.rounds, options.steps)
    for name, value in (("--rounds", rounds), ("--steps", steps), ("--threads", options.threads)):
        if value < 1:
            raise ConfigError(f"{name} is {value}; it must be at least 1.")
    installed = peer_versions(options.peers)
    sides = ["ours", *installed, "raw"]
    settings = {
        **CONFIGURATION,
        "steps": steps,
        "warm_up_steps": options.warm_up,
        "raw_steps": min(steps, 32_768),
        "threads": options.threads,
    }
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    todo = [(k, env_id, side) for k in range(rounds) for env_id in options.envs for side in sides]
    for done, (number, env_id, side) in enumerate(todo):
        tell(done, len(todo), f"{env_id}: {side}, round {number + 1}")
        code = f"{side} {installed[side]}" if side in PEERS else code_digest(TRAIN)
        key = {**settings, "env_id": env_id, "seed": number}
        measured = _measure(side, key, code, options.peers)
        if side in PEERS:
            versions = measured["versions"]
        rows.append(
            {
                "env": env_id,
                "round": number,
                "side": side,
                "steps": measured["steps"],
                "wall_s": round(measured["wall_s"], 4),
                "steps_per_second": round(measured["steps"] / measured["wall_s"], 1),
                "peak_rss_mb": round(measured["peak_rss_mb"], 1),
                "mean_return": measured["mean_return"],
            }
        )
    tell(len(todo), len(todo), "done")
    environments = {env_id: summarise(rows, env_id, sides) for env_id in options.envs}
    summary = {
        "command": f"python -m rlhf bench {NAME} --envs {' '.join(options.envs)} --rounds {rounds} "
        f"--steps {steps} --warm-up {options.warm_up} --threads {options.threads} --peers PYTHON",
        "settings": settings,
        "peer_versions": versions,
        "environments": environments,
    }
    write_results(options.out, rows, plot(environments), summary)
    return summary, text_rows(environments), _missing(installed, options.peers)


def summarise(rows: Sequence[Mapping[str, Any]], env_id: str, sides: Sequence[str]) -> dict[str, Any]:
    """Return per side the median rate, memory and return; and our rate as ratios to the others', by round."""
    rates = {side: _column(rows, env_id, side, "steps_per_second") for side in sides}
    summary: dict[str, Any] = {}
    for side in sides:
        returns = [r for r in _column(rows, env_id, side, "mean_return") if r is not None]
        ratios = np.array(rates["ours"]) / np.array(rates[side])
        summary[side] = {
            "steps_per_second": float(np.median(rates[side])),
            "ours_is_times_as_fast": {
                "median": float(np.median(ratios)),
                "min": float(ratios.min()),
                "max": float(ratios.max()),
            },
            "peak_rss_mb": max(_column(rows, env_id, side, "peak_rss_mb")),
            "mean_return": iqm_interval([np.array(returns)]) if returns else None,
        }
    return summary


def text_rows(environments: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["environment", "side", "steps/s", "ours / it (min-max)", "peak MiB", "return (95 %)"]]
    for env_id, sides in environments.items():
        for side, values in sides.items():
            ratio, reached = values["ours_is_times_as_fast"], values["mean_return"]
            table.append(
                [
                    env_id,
                    side,
                    f"{values['steps_per_second']:,.0f}",
                    f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})"
                    if side != "ours"
                    else "",
                    f"{values['peak_rss_mb']:.0f}",
                    f"{reached['iqm']:.0f} ({reached['low']:.0f} to {reached['high']:.0f})"
                    if reached
                    else "",
                ]
            )
    return table


def plot(environments: Mapping[str, Any]) -> str:
    """Return an SVG of our rate as a multiple of each other's; raw is the ceiling."""
    panels = []
    for env_id, sides in environments.items():
        ratios = {side: values["ours_is_times_as_fast"] for side, values in sides.items() if side != "ours"}
        series = [
            Series(name=f"/ {side}", xs=[0], ys=[r["median"]], lows=[r["min"]], highs=[r["max"]])
            for side, r in ratios.items()
        ]
        panels.append(Panel(title=f"{env_id}: our rate /", series=series, line=1.0))
    return dots(panels)


def _column(rows: Sequence[Mapping[str, Any]], env_id: str, side: str, name: str) -> list[Any]:
    return [row[name] for row in rows if (row["env"], row["side"]) == (env_id, side)]


def _measure(side: str, settings: Mapping[str, Any], code: str, peers: str) -> dict[str, Any]:
    """Return one measurement, in a process of its own."""
    program = [sys.executable, "-m", "rlhf.benchmarks.train_ours"]
    if side in PEERS:
        # -P: the script's own folder stays off the path, so that it finds only what is installed there.
        program = [peers, "-P", str(_FOLDER / "train_peer.py")]
    command = [*program, side, json.dumps(dict(settings))]
    key = {**settings, "side": side, "code": code}
    return measured_once(NAME, key, lambda: _spawn(command, settings["threads"]))


def _spawn(command: Sequence[str], threads: int) -> dict[str, Any]:
    is_ours = "-m" in command
    # Ours divides its work among processes of one thread each, the peers theirs among threads.
    environment = child_environment()
    if not is_ours:
        environment |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
    # MuJoCo writes its warnings into the current folder when a peer steps it.
    with (
        on_cores(usable_cores()[:threads]),
        tempfile.TemporaryDirectory(prefix="preference-studio-") as empty,
    ):
        folder = PROJECT_ROOT if is_ours else empty
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise JobError(f"{' '.join(command[:4])} ended with status {done.returncode}: {last}")
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def peer_versions(peers: str) -> dict[str, str]:
    """Return the versions of the peers that an interpreter has, by side.

    Raises:
        ConfigError: it is not an interpreter.
    """
    program = (
        "import importlib.metadata as m, json; "
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    try:
        done = subprocess.run([peers, "-P", "-c", program], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise ConfigError(
            f"--peers {peers!r} is not a Python interpreter of version 3.11: {error}"
        ) from error
    spelled = {name.replace("_", "-"): version for name, version in found.items()}
    return {side: spelled[name] for side, name in PEERS.items() if name in spelled}


def _missing(installed: Mapping[str, str], peers: str) -> str:
    missing = [name for side, name in PEERS.items() if side not in installed]
    if not missing:
        return ""
    return (
        f"Left out, because {peers} does not have it: {', '.join(missing)}. Install with\n"
        f"  {peers} -m pip install -r rlhf/benchmarks/requirements.txt"
    )
