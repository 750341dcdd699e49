"""The reward under clips: it follows the clips, and the clips follow it."""

import re
from collections.abc import Iterator

import pytest
from barcode_clips import READ_BARCODE
from playwright.sync_api import Browser, Locator, Page, expect
from stub_client import wait_until

READ_FRAMES = "() => [...document.querySelectorAll('.rp-root video')].map((v) => readBarcode(v)?.frame)"


@pytest.fixture
def page(chromium: Browser, stub_server: str) -> Iterator[Page]:
    """Two clips, paused, with the reward under them."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{stub_server}/replays?trace=1")
    page.evaluate(READ_BARCODE)
    expect(_trace(page)).to_have_attribute("data-state", "ready", timeout=20000)
    expect(page.get_by_test_id("replay-player")).to_have_attribute("data-state", "ready", timeout=20000)
    yield page
    assert errors == []
    context.close()


def _trace(page: Page) -> Locator:
    return page.get_by_test_id("reward-trace")


def _shows_frame(page: Page, frame: int) -> None:
    """Wait until cursor and both clips are at a frame."""
    expect(_trace(page)).to_have_attribute("data-frame", str(frame))
    wait_until(
        lambda: page.evaluate(READ_FRAMES) == [frame, frame],
        lambda: f"wanted {frame}, shown {page.evaluate(READ_FRAMES)}",
    )


def test_a_click_on_a_peak_leads_to_its_frame(page: Page) -> None:
    page.locator(".tr-peak-target").first.click()
    _shows_frame(page, 20)


def test_a_click_on_the_curves_leads_to_that_moment(page: Page) -> None:
    page.locator(".tr-plot").click(position={"x": 600, "y": 140})
    wait_until(lambda: int(_trace(page).get_attribute("data-frame") or 0) > 10, lambda: "nothing moved")
    _shows_frame(page, int(_trace(page).get_attribute("data-frame") or 0))


def test_arrow_keys_go_by_frames_and_by_peaks(page: Page) -> None:
    page.locator(".tr-plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    _shows_frame(page, 1)
    page.keyboard.press("ArrowUp")
    _shows_frame(page, 20)
    page.keyboard.press("Home")
    _shows_frame(page, 0)


def test_the_reward_follows_the_clips(page: Page) -> None:
    scrub = page.get_by_label("Frame", exact=True)
    scrub.fill("20")
    _shows_frame(page, 20)
    expect(page.get_by_role("slider", name="Predicted reward by frame")).to_have_attribute(
        "aria-valuetext", "Frame 21 of 60: Version 0: +2.00, Version 1: +0.50"
    )
    row = page.get_by_role("row", name=re.compile("^speed"))
    expect(row).to_contain_text("20.0 m/s")
    expect(row).to_contain_text("5.00 m/s")


def test_rewards_can_be_added_up(page: Page) -> None:
    page.get_by_label("Frame", exact=True).fill("59")
    page.get_by_role("button", name="Added up").click()
    legend = page.locator(".tr-legend")
    expect(legend).to_contain_text("Version 0: +20.0")
    expect(legend).to_contain_text("Version 1: +1.00")  # forty halves less nineteen
    expect(page.locator(".tr-peak")).to_have_count(0)
    page.get_by_role("button", name="Each step").click()
    expect(legend).to_contain_text("Version 1: −1.00")


def test_the_time_after_the_end_is_shaded(page: Page) -> None:
    shade = page.locator(".tr-ended")
    expect(shade).to_have_count(1)
    plot, ended = page.locator(".tr-plot").bounding_box(), shade.bounding_box()
    assert plot is not None
    assert ended is not None
    assert 0.6 < (ended["x"] - plot["x"]) / plot["width"] < 0.75
    expect(page.locator(".tr-ended-text")).to_have_text("episode over")


def test_a_reward_that_cannot_be_read_says_why(chromium: Browser, stub_server: str) -> None:
    page = chromium.new_page()
    page.route("**/api/traces/stub", lambda route: route.continue_(url=f"{stub_server}/api/traces/missing"))
    page.goto(f"{stub_server}/replays?trace=1")
    expect(_trace(page)).to_have_attribute("data-state", "failed", timeout=20000)
    expect(_trace(page)).to_contain_text("The reward could not be loaded: there is no such run")
    expect(page.get_by_test_id("replay-player")).to_have_attribute("data-state", "ready", timeout=20000)
