"""Key press to next pair painted, in the real app and browser: ``python -m rlhf.benchmarks.label_latency``.

Measures twice: while nothing is learned (the run waits for more answers than are given) and while the
trainer works at full speed. A press that finds no pair ready is measured until one is painted, so at a pace
faster than clips are drawn the waiting for the renderer counts. Needs ``tests/requirements.txt`` for the
browser's driver.
"""

import argparse
import shutil
import tempfile
import time
from typing import Any

import numpy as np

from rlhf.benchmarks.studio import running_studio
from rlhf.config import Settings
from rlhf.errors import JobError
from rlhf.loop.start_run import new_run, start_run
from rlhf.storage import runs
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate

CASES = {"idle": {"schedule.first_answers": 10**6}, "training": {"schedule.total_steps": 10**8}}
WARM_UP = 12
_MEASURE = """
() => {
  const player = document.querySelector("[data-testid=pair-player]");
  window.latencies = []; let pressed = null;
  addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => {
    if (pressed === null || player.dataset.state !== "ready") return;
    const start = pressed; pressed = null;
    const painted = new MessageChannel();  // messages come after the frame whose callbacks set the state
    painted.port1.onmessage = () => window.latencies.push(performance.now() - start);
    painted.port2.postMessage(null);
  }).observe(player, {attributes: true, attributeFilter: ["data-query-id", "data-state"]});
}
"""


def main() -> None:
    """Measure both cases and print them."""
    parser = argparse.ArgumentParser(description="Key press to next pair painted.")
    parser.add_argument("--task", default="pendulum-swingup")
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds from one press to the next")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    for case in options.cases:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, running_studio(folder) as (url, _):
            first_at, latencies, steps = _measure(url, folder, options, CASES[case])
        median, p95 = np.percentile(latencies, [50, 95])
        print(
            f"{case}: {len(latencies)} answers, median {median:.1f} ms, p95 {p95:.1f} ms, "
            f"max {max(latencies):.1f} ms, {steps:,} environment steps meanwhile; "
            f"first pair {first_at - began:.1f} s after the server was started"
        )


def _measure(
    url: str, folder: str, options: argparse.Namespace, overrides: dict[str, Any]
) -> tuple[float, list[float], int]:
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise JobError("there is no Chromium on this machine; install one to measure in it.")
    engine = open_engine(Settings.from_environment({"RLHF_DATA_DIR": folder}).database_url)
    migrate(engine)
    run_id = new_run(engine, options.task, overrides=overrides)
    start_run(engine, run_id)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/label?run={run_id}")
        ready = page.locator("[data-testid=pair-player][data-state=ready]")
        ready.wait_for(timeout=60_000)
        first_at = time.monotonic()
        for _ in range(WARM_UP):
            _answer(page, ready, options.pace)
        page.evaluate(_MEASURE)
        before = _steps(engine, run_id)
        for _ in range(options.answers):
            _answer(page, ready, options.pace)
        latencies: list[float] = page.evaluate("() => window.latencies")
        browser.close()
    return first_at, latencies, _steps(engine, run_id) - before


def _answer(page: Any, ready: Any, pace: float) -> None:
    ready.wait_for(timeout=60_000)
    next_at = time.monotonic() + pace
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1000 * max(0.0, next_at - time.monotonic()))


def _steps(engine: Any, run_id: str) -> int:
    with reading(engine) as connection:
        return int(runs.get_run(connection, run_id)["steps"])


if __name__ == "__main__":
    main()
