"""Starts the worker processes, keeps them alive and ends them cleanly."""

import contextlib
import os
import subprocess
import sys
import threading
import time

from rlhf.config import PROJECT_ROOT, child_environment

ROLES = ("trainer", "renderer")
_CHECK_S = 0.5
_RESTART_S = 1.0
"""A worker that dies is started again after this, twice as long each time up to a minute."""
_PROVEN_S = 60.0
"""A worker that lived so long did not die of how it was started."""
_STOP_S = 20.0
"""Time for a checkpoint before a worker is killed."""


class Supervisor:
    """Owns one trainer and one renderer process."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start both workers and watch over them."""
        for role in ROLES:
            self._spawn(role, once=self._once and role == "trainer")
        self._thread.start()

    @property
    def is_watching(self) -> bool:
        """Whether there are workers left to watch; with ``once`` they end by themselves."""
        return self._thread.is_alive()

    def stop(self) -> int:
        """Ask both to finish (the trainer writes a checkpoint first), wait, return the worst exit status."""
        self._stop.set()
        self._thread.join()
        for child in self._children.values():
            child.terminate()
        deadline = time.monotonic() + _STOP_S
        for child in self._children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        return max(abs(int(child.returncode or 0)) for child in self._children.values())

    def _spawn(self, role: str, *, once: bool = False) -> None:
        command = [sys.executable, "-m", "rlhf", "worker", "--role", role, "--parent", str(os.getpid())]
        # A session of their own: Ctrl-C in the terminal reaches us, and we end them in order.
        self._children[role] = subprocess.Popen(
            command + (["--once"] if once else []),
            cwd=PROJECT_ROOT,
            env=child_environment(),
            start_new_session=True,
        )

    def _work_once(self) -> None:
        """Let the trainer work until it needs people, then the renderer until nothing is left to draw.

        Both work side by side until the trainer ends: the renderer's teachers answer what it asks.
        """
        if self._has_ended("trainer"):
            self._children["renderer"].terminate()
            self._children["renderer"].wait()
            self._spawn("renderer", once=True)
            self._has_ended("renderer")

    def _has_ended(self, role: str) -> bool:
        """Wait for a worker's end; return False when we are to stop instead."""
        while self._children[role].poll() is None:
            if self._stop.wait(_CHECK_S):
                return False
        return True

    def _watch(self) -> None:
        if self._once:
            self._work_once()
            return
        delay = dict.fromkeys(ROLES, _RESTART_S)
        restart_at: dict[str, float] = {}
        started_at = dict.fromkeys(ROLES, time.monotonic())
        while not self._stop.wait(_CHECK_S):
            ended = [role for role in ROLES if self._children[role].poll() is not None]
            for role in ended:
                now = time.monotonic()
                if role not in restart_at:
                    if now - started_at[role] > _PROVEN_S:
                        delay[role] = _RESTART_S
                    restart_at[role] = now + delay[role]
                    delay[role] = min(60.0, 2 * delay[role])
                elif now >= restart_at[role]:
                    del restart_at[role]
                    started_at[role] = now
                    with contextlib.suppress(
                        OSError
                    ):  # no memory for a process now: tried again like a crash
                        self._spawn(role)
