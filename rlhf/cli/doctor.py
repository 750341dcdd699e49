"""``doctor``: what works on this machine, and how fast."""

import argparse
import functools
import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable
from typing import Any

from rlhf.cli.output import add_json_option, finish, table
from rlhf.config import Settings
from rlhf.errors import RlhfError
from rlhf.experience.tasks import get_task, list_tasks
from rlhf.types.task import Task

_RATE_S = 0.2
_ENVPOOL_EXAMPLE = "envpool:CheetahRun-v1"
_PATHS = {
    "ClassicBatchedEnv": "vectorised numpy",
    "MujocoBatchedEnv": "MuJoCo in C",
    "EnvPoolBatchedEnv": "EnvPool, a thread for each environment",
    "GymnasiumBatchedEnv": "one Gymnasium environment after the other",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Check each part and print what was found; a part that fails does not stop the others."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores",
        "database": _database,
        "files": _files,
        "rendering": _rendering,
        "gpu": _gpu,
        "envpool": _envpool,
        "browser clips": _clips,
    }
    known = list_tasks()
    if importlib.util.find_spec("envpool"):
        known.append(get_task(_ENVPOOL_EXAMPLE))
    for task in known:
        checks[f"stepping {task.name}"] = functools.partial(_stepping, task)
    results: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            results[name] = {"ok": True, "found": check()}
        except (RlhfError, OSError, ImportError) as error:
            results[name] = {"ok": False, "found": str(error)}
    rows = [("ok" if r["ok"] else "FAILED", name, r["found"]) for name, r in results.items()]
    finish(options, {"checks": results}, table(("", "part", "found"), rows))
    return 0 if all(r["ok"] for r in results.values()) else 1


def _database() -> str:
    from rlhf.storage.engine import open_engine, writing
    from rlhf.storage.migrations import migrate
    from rlhf.storage.schema import workers

    url = Settings.from_environment().database_url
    engine = open_engine(url)
    migrate(engine)
    started = time.perf_counter()
    for _ in range(20):
        with writing(engine) as connection:
            connection.execute(workers.delete().where(workers.c.id == "doctor"))
    per_write_ms = 1e3 * (time.perf_counter() - started) / 20
    return f"{engine.url.render_as_string(hide_password=True)}, {per_write_ms:.1f} ms per write"


def _files() -> str:
    from rlhf.storage.blobs import Blobs

    settings = Settings.from_environment()
    blobs = Blobs(settings.blob_url)
    started = time.perf_counter()
    name = blobs.write(os.urandom(1_000_000), "tmp")
    took = time.perf_counter() - started
    blobs.delete(name)
    return f"{settings.blob_url}, 1 MB in {1e3 * took:.0f} ms"


def _rendering() -> str:
    from rlhf.clips.gl import usable_gl

    backend = usable_gl()
    return (
        f"MuJoCo through {backend}" if backend else "no GL library: MuJoCo is drawn by the built-in painter"
    )


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none (none is needed)"


def _envpool() -> str:
    if not importlib.util.find_spec("envpool"):
        return "not installed (optional; it adds the tasks envpool:<Id>)"
    return f"{importlib.metadata.version('envpool')}, its environments are the tasks envpool:<Id>"


def _clips() -> str:
    import numpy as np

    from rlhf.clips.encode import encode_mp4

    frames = np.zeros((50, 300, 400, 3), np.uint8)
    started = time.perf_counter()
    data = encode_mp4(frames, 30.0)
    return (
        f"H.264 works, 50 frames in {1e3 * (time.perf_counter() - started):.0f} ms, {len(data) / 1e3:.0f} kB"
    )


def _stepping(task: Task) -> str:
    import numpy as np

    from rlhf.experience.random_policies import UniformRandomPolicy
    from rlhf.experience.vector import VectorStepper

    stepper = VectorStepper(task, 8, 0)
    policy, rng = UniformRandomPolicy(stepper.action_space), np.random.default_rng(0)
    started, steps = time.perf_counter(), 0
    while (took := time.perf_counter() - started) < _RATE_S:
        stepper.step(policy.act(stepper.observations, rng)[0])
        steps += stepper.num_envs
    stepper.close()
    return f"{steps / took:,.0f} steps/s with 8 environments ({_PATHS[type(stepper.env).__name__]})"
