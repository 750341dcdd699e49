"""The real app as a process of its own, for tests that drive it from outside."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class LiveApp:
    """``streamlit run app.py`` with a data folder of its own."""

    def __init__(self, data_dir: Path, worker: str = "embedded") -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / "app.log"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = dict(os.environ) | {"RLHF_DATA_DIR": str(data_dir), "RLHF_WORKER": worker}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamlit",
                    "run",
                    "app.py",
                    "--server.port",
                    self.url.rsplit(":")[-1],
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: self.get("/healthz") is not None, 60, self.describe)

    def get(self, path: str) -> dict[str, Any] | None:
        """Return a JSON reply, or None while there is none."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as reply:
                return dict(json.load(reply))
        except OSError:
            return None

    def cli(self, *arguments: str) -> dict[str, Any]:
        """Run a verb on the same store and return its JSON."""
        command = [sys.executable, "-m", "rlhf", *arguments, "--json", "-"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True
        )
        return dict(json.loads(done.stdout))

    def worker_pid(self, role: str) -> int | None:
        """Return the process id of a living worker."""
        return (self.get("/healthz") or {}).get("workers", {}).get(role)

    def describe(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def live_app(data_dir: Path, worker: str = "embedded") -> Iterator[LiveApp]:
    """Start the app, and end it and its workers afterwards."""
    app = LiveApp(data_dir, worker)
    try:
        yield app
    finally:
        app.stop()


def wait_until(condition: Callable[[], Any], seconds: float, describe: Callable[[], str] = str) -> Any:
    """Return what the condition returns once it is true; fail when it stays false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not true within {seconds} s. {describe()}")


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
