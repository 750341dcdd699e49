"""A real Chromium for the tests of the pages, and the stub server for those of the players alone."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from large_run import LargeRunInTheMaking
from live_app import LiveApp, live_app
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from stub_client import Studio, running_stub

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


_PATIENCE_MS = 20_000
"""What an expectation waits for unless it says otherwise: a page may wait seconds for a core."""
_RUNS = itertools.count()


def _find_browser() -> str | None:
    names = ("/usr/bin/chromium", "chromium", "google-chrome", "chromium-browser")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def running_browser() -> Iterator[Browser]:
    """One headless browser for all tests."""
    path = _find_browser()
    if path is None:
        reason = "no Chromium or Chrome on this machine; install one to run the browser tests"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def chromium(running_browser: Browser) -> Iterator[Browser]:
    """The browser, for contexts of the test's own; left open, they would play on beside all that follow."""
    of_others = list(running_browser.contexts)
    yield running_browser
    for context in running_browser.contexts:
        if context not in of_others:
            context.close()


@pytest.fixture(scope="session")
def stub_server() -> Iterator[str]:
    with running_stub() as base:
        yield base


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []


@pytest.fixture
def studio(stub_server: str) -> Studio:
    return Studio(stub_server, f"run{next(_RUNS)}")


@pytest.fixture(scope="session", autouse=True)
def large_run_in_the_making(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LargeRunInTheMaking | None]:
    """The large run, begun beside the first tests if any test wants it: it takes most of a minute."""
    if not any("large_run" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all processes of this run
    with contextlib.closing(LargeRunInTheMaking(folder / "large-run")) as making:
        yield making


@pytest.fixture(scope="session")
def large_run(large_run_in_the_making: LargeRunInTheMaking | None) -> tuple[Path, str]:
    """A folder with a run of 1,000 answers and 40 saved policies, and its id; to be copied, not changed."""
    assert large_run_in_the_making is not None
    return large_run_in_the_making.data_dir, large_run_in_the_making.result()


@pytest.fixture(scope="module")
def large_app(
    large_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveApp, str]]:
    """The real app, with workers, over a copy of the large run for the tests of one module; and its id."""
    data_dir, run_id = large_run
    copy = shutil.copytree(data_dir, tmp_path_factory.mktemp("copy") / "data")
    with live_app(copy) as app:
        yield app, run_id


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that drives the browser, and give it a second try.

    A browser that waits seconds for a core of a busy machine may miss a deadline of a test. The summary names
    each test that needed its second try, and one that fails twice fails.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))
