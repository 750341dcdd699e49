"""The stub server as the tests see it: start it, change a run's world, read what it has stored."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from barcode_clips import READ_BARCODE
from playwright.sync_api import Locator, Page, expect

PLAYER = "[data-testid=pair-player]"
PLAYERS = {"pairs": "pair-player", "rank": "ranking-player", "rate": "rating-player"}
# Reads both clips on screen; they belong to the same pair when clip >> 1 is the same.
READ_PAIR = "() => [...document.querySelectorAll('.pp-shown video')].map(readBarcode)"

_HERE = Path(__file__).parent


class Studio:
    """One run of the stub server."""

    def __init__(self, base: str, run: str) -> None:
        self.base, self.run = base, run

    def set(self, page: Page, **world: Any) -> None:
        page.request.post(f"{self.base}/stub/{self.run}", data=world)

    def stored(self, page: Page) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = page.request.get(f"{self.base}/stub/{self.run}").json()["stored"]
        return answers

    def choices(self, page: Page) -> list[tuple[str, str]]:
        return [(answer["query_id"], answer["choice"]) for answer in self.stored(page)]

    def wait_for_choices(self, page: Page, expected: list[tuple[str, str]]) -> None:
        wait_until(lambda: self.choices(page) == expected, lambda: f"stored {self.choices(page)}")

    def open(self, page: Page, *, state: str = "ready", mode: str = "pairs") -> Locator:
        """Open the label page and wait until the player is in ``state``."""
        page.goto(f"{self.base}/label?run={self.run}&mode={mode}")
        page.evaluate(READ_BARCODE)
        player = page.get_by_test_id(PLAYERS[mode])
        expect(player).to_have_attribute("data-state", state, timeout=20000)
        return player


def wait_until(condition: Callable[[], bool], what: Callable[[], str], timeout_s: float = 10) -> None:
    """Wait until ``condition`` holds, or fail with ``what``."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def on_query(player: Locator, query_id: str) -> None:
    """Wait until the pair of this query is on screen."""
    expect(player).to_have_attribute("data-query-id", query_id)


@contextlib.contextmanager
def running_stub() -> Iterator[str]:
    """Run the stub server on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = _HERE.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(_HERE / "stub_server.py"), str(port)]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=root, env=environment, stdout=silent, stderr=silent) as process:
        base = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: _responds(f"{base}/stub/none"), lambda: "the stub server did not start", 60)
            yield base
        finally:
            process.terminate()


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
