from collections.abc import Iterator

import pytest
from barcode_clips import READ_BARCODE
from playwright.sync_api import Browser, Locator, Page, expect
from stub_client import wait_until

READ_ALL = "() => [...document.querySelectorAll('[data-testid=replay-player] video')].map(readBarcode)"


@pytest.fixture
def page(chromium: Browser, stub_server: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{stub_server}/replays")
    page.evaluate(READ_BARCODE)
    expect(_player(page)).to_have_attribute("data-state", "ready", timeout=20000)
    yield page
    assert errors == []
    context.close()


def _player(page: Page) -> Locator:
    return page.locator("[data-testid=replay-player]")


def test_two_replays_step_together(page: Page) -> None:
    page.get_by_role("button", name="Pause").click()
    start = int(_player(page).get_attribute("data-frame-left") or -1)
    page.get_by_role("button", name="One frame forward").click()
    page.get_by_role("button", name="One frame forward").click()
    page.get_by_role("button", name="One frame back").click()
    wanted = [{"clip": 0, "frame": start + 1}, {"clip": 1, "frame": start + 1}]
    wait_until(
        lambda: page.evaluate(READ_ALL) == wanted,
        lambda: f"wanted {wanted}, shown {page.evaluate(READ_ALL)}",
    )


def test_other_clips_start_the_player_anew(page: Page) -> None:
    page.get_by_text("Compare").click()
    expect(page.locator("[data-testid=replay-player] video")).to_have_count(1)
    expect(_player(page)).to_have_attribute("data-state", "ready")
    expect(page.get_by_role("button", name="0.5×")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_download_link_leads_to_the_file(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Version 1").click()
    assert download.value.path().read_bytes()[4:8] == b"ftyp"
