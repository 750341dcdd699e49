"""Runs of the command line side by side, each on a core of its own where there are several at a time."""

import os
import queue
import subprocess
from collections.abc import Sequence

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import JobError


class FreeCores:
    """Hands every run at a time its own core; a single one at a time may use all of them.

    A run that has one core starts no further processes, so that runs side by side do not slow each other.

    Args:
        jobs: runs at a time.
    """

    def __init__(self, jobs: int) -> None:
        self._free: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        for job in range(jobs):
            self._free.put(cores[job % len(cores)] if jobs > 1 and cores else None)

    def run(self, command: Sequence[str]) -> None:
        """Run a command in the project's folder and wait for it.

        Raises:
            JobError: it failed; the message ends with the last line that it wrote.
        """
        core = self._free.get()
        try:
            with subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env=child_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                if core is not None:
                    os.sched_setaffinity(process.pid, {core})
                _, said = process.communicate()
        finally:
            self._free.put(core)
        if process.returncode:
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            raise JobError(f"{' '.join(command[1:8])} ended with status {process.returncode}: {last}")
