"""The app itself, run as people run it, for measurements from outside."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import JobError

_START_S = 60.0


@contextlib.contextmanager
def running_studio(folder: str, worker: str = "embedded") -> Iterator[tuple[str, int]]:
    """Run the app on a free port of the loopback interface, with a store of its own.

    Args:
        folder: of the store.
        worker: ``embedded``, or ``external`` to start no workers.

    Yields:
        Its address and process id.

    Raises:
        JobError: it does not answer within a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=PROJECT_ROOT,
        env=child_environment() | {"RLHF_DATA_DIR": folder, "RLHF_WORKER": worker},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_S
        while not _is_healthy(url):
            if time.monotonic() > deadline or process.poll() is not None:
                raise JobError(f"the app did not start within {_START_S:g} s; try `streamlit run app.py`.")
            time.sleep(0.1)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as reply:
            return bool(json.load(reply)["status"] == "ok")
    except OSError:
        return False
