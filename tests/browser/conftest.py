"""A real Chromium for the tests of the pages, and the stub server for those of the players alone."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that drives the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
