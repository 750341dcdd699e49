"""Pictures a second while a person acts: ``python -m rlhf.benchmarks.demonstration_rate [TASK ...]``.

In the real app and browser, over the first seconds of an episode in which a key is held down; and how long
after the key press the first picture of what it did is drawn. Needs ``tests/requirements.txt`` for the
browser's driver.
"""

import argparse
import shutil
import tempfile
from typing import Any

import numpy as np

from rlhf.benchmarks.studio import running_studio
from rlhf.config import Settings
from rlhf.errors import JobError
from rlhf.experience.tasks import get_task
from rlhf.loop.start_run import new_run
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate

TASKS = ("pendulum-swingup", "lunarlander-land", "swimmer-run")
SECONDS = 3.0
REPEATS = 5
_READY = "[data-testid=demonstration-player][data-state=ready]"
_WATCH = """
() => {
  const player = document.querySelector("[data-testid=demonstration-player]");
  addEventListener("keydown", (event) => { if (!event.repeat) window.pressed = performance.now(); }, true);
  new MutationObserver(() => window.drawn.push([performance.now(), Number(player.dataset.step)]))
    .observe(player, {attributes: true, attributeFilter: ["data-step"]});
}
"""


def main() -> None:
    """Measure the named tasks, or some of each kind, and print what was found."""
    parser = argparse.ArgumentParser(description="Pictures a second while a person acts.")
    parser.add_argument("tasks", nargs="*", default=TASKS)
    options = parser.parse_args()
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise JobError("there is no Chromium on this machine; install one to measure in it.")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_studio(folder) as (url, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        engine = open_engine(Settings.from_environment({"RLHF_DATA_DIR": folder}).database_url)
        migrate(engine)
        for task in options.tasks:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{url}/demonstrate?run={new_run(engine, task)}")
            page.locator(_READY).wait_for(timeout=60_000)
            page.evaluate(_WATCH)
            measured = [_measure(page) for _ in range(REPEATS)]
            page.close()
            rates, latencies = np.array(measured).T
            print(
                f"{task}: {np.median(rates):.1f} of {get_task(task).playback_fps:.0f} pictures a second over "
                f"{SECONDS:.0f} s (median of {REPEATS}), the first {np.median(latencies):.0f} ms after a key",
                flush=True,
            )
        browser.close()


def _measure(page: Any) -> tuple[float, float]:
    """Hold a key through the start of one episode; return (pictures per second, ms to the first one)."""
    page.locator(_READY).wait_for(timeout=60_000)
    page.evaluate("() => { window.drawn = []; }")
    page.keyboard.down("ArrowUp" if page.get_by_role("button", name="Main engine").count() else "ArrowLeft")
    page.wait_for_timeout(1000 * SECONDS)
    drawn, pressed = page.evaluate("() => [window.drawn, window.pressed]")
    page.keyboard.up("ArrowUp")
    page.keyboard.up("ArrowLeft")
    page.keyboard.press("x")
    times = np.array([time for time, step in drawn if step > 0])
    return (len(times) - 1) / ((times[-1] - times[0]) / 1000), float(times[0] - pressed)


if __name__ == "__main__":
    main()
