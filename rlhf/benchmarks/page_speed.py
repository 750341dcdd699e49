"""How long pages take to show themselves and to react: ``python -m rlhf.benchmarks.page_speed --data DIR``.

Drives the real app in Chromium over a copy of a store that holds a large run (``PYTHONPATH=. python
tests/browser/large_run.py DIR`` makes one) and, for the Label page, a second run that asks questions. Of
every page:

    fresh tab         from the navigation of a new tab, with a session and a websocket of its own, to the
                      first painted frame with figures or words of the page itself, and to the one in which
                      all in the window is drawn; the browser has been there before
    change of page    the same from a press on its link in another page
    each act          from the event of the mouse or keyboard to the first painted frame with its outcome

Content and outcomes are what ``page_speed_pages`` says: figures, drawn charts and loaded clips that are in
the window, never a skeleton or a frame around nothing. Needs ``tests/requirements.txt`` for the browser's
driver.
"""

import argparse
import contextlib
import dataclasses
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rlhf.benchmarks.page_speed_pages import PAGES, PageCase
from rlhf.benchmarks.page_speed_probe import PROBE, arm, since_event, since_navigation
from rlhf.benchmarks.studio import running_studio
from rlhf.config import Settings
from rlhf.errors import JobError
from rlhf.loop.start_run import new_run, start_run
from rlhf.storage import answers, queries, runs
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate
from rlhf.types.run import QueryStatus

PAINT_MS, ACT_MS = 1000.0, 200.0
"""The bars: of pages, and of what is done on them."""
_PATIENCE_MS = 60_000
_VISITS = 3
"""Before any that counts: the browser keeps files from the first one and compiled programs from the third."""
_READY = 10
"""Questions that wait before anything is measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Repetitions of one thing on one page, in milliseconds."""

    page: str
    what: str
    bar_ms: float
    ms: list[float]

    def row(self) -> dict[str, Any]:
        """Return the figures, JSON data."""
        return dataclasses.asdict(self) | {
            "median_ms": statistics.median(self.ms),
            "worst_ms": max(self.ms),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long pages take to show themselves and to react.")
    parser.add_argument("--data", required=True, help="folder with the store; it is copied, not changed")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--pages", nargs="+", default=[], help="parts of the names of pages; else all")
    parser.add_argument("--json", type=Path, help="file for the figures; those of other pages in it are kept")
    options = parser.parse_args()
    wanted = [one.lower() for one in options.pages]
    pages = [one for one in PAGES if not wanted or any(part in one.name.lower() for part in wanted)]
    if not pages:
        parser.error(f"no page is called {options.pages}; there are: {', '.join(one.name for one in PAGES)}.")
    names = {one.name for one in pages}
    kept = (
        json.loads(options.json.read_text())["measurements"]
        if options.json and options.json.is_file()
        else []
    )
    rows = [row for row in kept if row["page"] not in names]
    print(f"{'':32}{'':32}{'median':>8}{'worst':>8}   ms")
    for found in measure(Path(options.data), pages, options.repetitions):
        row = found.row()
        rows.append(row)
        over = " over the bar" if row["median_ms"] > found.bar_ms else ""
        print(
            f"{found.page:32}{found.what:32}{row['median_ms']:8.0f}{row['worst_ms']:8.0f}{over}", flush=True
        )
        if options.json:
            options.json.write_text(json.dumps({"measurements": rows}, indent=1) + "\n")


def measure(data: Path, pages: Sequence[PageCase], repetitions: int) -> Iterator[Measured]:
    """Measure pages, one after the other.

    Raises:
        JobError: there is no browser, no large run, or the app does not get ready.
    """
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise JobError("there is no Chromium on this machine; install one to measure in it.")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        shutil.copytree(data, folder, dirs_exist_ok=True)
        engine = open_engine(Settings.from_environment({"RLHF_DATA_DIR": folder}).database_url)
        stack.callback(engine.dispose)
        migrate(engine)
        large_id, label_id = (
            _largest_run(engine),
            new_run(engine, "pendulum-swingup", overrides={"schedule.first_answers": 10**6}),
        )
        start_run(engine, label_id)
        url, _ = stack.enter_context(running_studio(folder))
        if any(page.is_labelled for page in pages):
            _await_questions(engine, label_id)
        playwright = stack.enter_context(sync_playwright())
        # With a profile of its own, as a person's browser: it keeps what it compiled of the app's programs.
        context = playwright.chromium.launch_persistent_context(
            stack.enter_context(tempfile.TemporaryDirectory()),
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            viewport={"width": 1280, "height": 900},
        )
        stack.callback(context.close)
        context.set_default_timeout(_PATIENCE_MS)
        context.add_init_script(PROBE)
        if any(page.path == "map" for page in pages):
            _await_map(context, url, large_id)
        for page in pages:
            run_id = label_id if page.is_labelled else large_id
            query = f"run={run_id}" + (f"&{page.query}" if page.query else "")
            yield from _measure_page(context, f"{url}/{page.path}?{query}", page, repetitions)


def _measure_page(context: Any, address: str, case: PageCase, repetitions: int) -> Iterator[Measured]:
    tests = (case.begins or case.shows, case.shows)
    fresh = []
    for _ in range(_VISITS + repetitions):
        with contextlib.closing(context.new_page()) as tab:
            tab.goto(address, wait_until="commit")
            fresh.append(since_navigation(tab, *tests))
    yield from _paints(case, "fresh tab", fresh[_VISITS:])
    if case.link is not None:
        with _opened(context, address, case) as tab:
            changes = [_change(tab, case, tests) for _ in range(repetitions)]
        yield from _paints(case, "change of page", changes)
    for name, act in case.acts.items():
        with _opened(context, address, case) as tab:
            tab.wait_for_timeout(1000)  # what is out of sight has been drawn by then
            took = [act(tab, turn) for turn in range(repetitions)]
        yield Measured(page=case.name, what=name, bar_ms=ACT_MS, ms=took)


def _paints(case: PageCase, what: str, found: Sequence[Sequence[float]]) -> Iterator[Measured]:
    begun, shown = ([one[place] for one in found] for place in (0, 1))
    yield Measured(page=case.name, what=what, bar_ms=PAINT_MS, ms=begun)
    if case.begins:
        yield Measured(page=case.name, what=f"{what}, all in view", bar_ms=PAINT_MS, ms=shown)


@contextlib.contextmanager
def _opened(context: Any, address: str, case: PageCase) -> Iterator[Any]:
    with contextlib.closing(context.new_page()) as tab:
        tab.goto(address)
        since_navigation(tab, case.shows)
        yield tab


def _change(tab: Any, case: PageCase, tests: Sequence[str]) -> list[float]:
    """Go to another page and measure the way back."""
    other = next(one for one in PAGES[::-1] if one.link not in (None, case.link))
    for page, wanted in ((other, [other.shows]), (case, tests)):
        arm(tab, "pointerdown", *(f'at("/{page.path}") && {test}' for test in wanted))
        tab.locator("[data-testid=stTopNavLink]", has_text=page.link).click()
        took = since_event(tab)
    return took


def _largest_run(engine: Any) -> str:
    with reading(engine) as connection:
        found = [
            (sum(answers.count_standing(connection, row["id"]).values()), row["id"])
            for row in runs.list_runs(connection)
        ]
    if not found:
        raise JobError(
            "the store holds no run; `PYTHONPATH=. python tests/browser/large_run.py FOLDER` makes one."
        )
    return str(max(found)[1])


def _await_questions(engine: Any, run_id: str) -> None:
    deadline = time.monotonic() + _PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        with reading(engine) as connection:
            if queries.count_by_status(connection, run_id, queries.OPEN).get(QueryStatus.READY, 0) >= _READY:
                return
        time.sleep(0.2)
    raise JobError("no questions became ready within a minute.")


def _await_map(context: Any, url: str, run_id: str) -> None:
    """Look at the map until it is made and holds all behaviour."""
    with contextlib.closing(context.new_page()) as tab:
        tab.goto(f"{url}/map?run={run_id}")
        tab.locator("[data-testid=behaviour-map][data-state=ready]").wait_for(timeout=4 * _PATIENCE_MS)
        tab.get_by_text("Reading what is new").wait_for(state="hidden", timeout=4 * _PATIENCE_MS)


if __name__ == "__main__":
    main()
