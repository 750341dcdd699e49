"""The replay player alone: steps, links, moments to ask about, and a long clip on a slow line."""

import re
from collections.abc import Callable, Iterator

import pytest
from barcode_clips import LONG_FRAMES, READ_BARCODE
from playwright.sync_api import Browser, Locator, Page, expect
from stub_client import wait_until

READ_ALL = "() => [...document.querySelectorAll('[data-testid=replay-player] video')].map(readBarcode)"


@pytest.fixture
def open_player(chromium: Browser, stub_server: str) -> Iterator[Callable[[str], Page]]:
    """``open_player(query)`` opens the player's page and waits until it is ready."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def open_it(query: str = "") -> Page:
        page.goto(f"{stub_server}/replays{query}")
        page.evaluate(READ_BARCODE)
        expect(_player(page)).to_have_attribute("data-state", "ready", timeout=20000)
        return page

    yield open_it
    assert errors == []
    context.close()


def _player(page: Page) -> Locator:
    return page.locator("[data-testid=replay-player]")


def _wait_for_frames(page: Page, *frames: int) -> None:
    wanted = [{"clip": clip, "frame": frame} for clip, frame in enumerate(frames)]
    wait_until(
        lambda: page.evaluate(READ_ALL) == wanted,
        lambda: f"wanted {wanted}, shown {page.evaluate(READ_ALL)}",
    )


def _frame(page: Page) -> int:
    return int(_player(page).get_attribute("data-frame-left") or -1)


def test_two_replays_step_together(open_player: Callable[..., Page]) -> None:
    page = open_player()
    page.get_by_role("button", name="Pause").click()
    start = _frame(page)
    page.get_by_role("button", name="One frame forward").click()
    page.get_by_role("button", name="One frame forward").click()
    page.get_by_role("button", name="One frame back").click()
    _wait_for_frames(page, start + 1, start + 1)


def test_other_clips_start_the_player_anew_at_the_same_moment(open_player: Callable[..., Page]) -> None:
    page = open_player("?frame=31")
    _wait_for_frames(page, 31, 31)
    page.get_by_role("button", name="2×").click()
    page.get_by_text("Compare", exact=True).click()
    expect(page.locator("[data-testid=replay-player] video")).to_have_count(1)
    expect(_player(page)).to_have_attribute("data-state", "ready")
    _wait_for_frames(page, 31)
    expect(page.get_by_role("button", name="2×")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_download_link_leads_to_the_file(open_player: Callable[..., Page]) -> None:
    page = open_player()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Version 1").click()
    assert download.value.suggested_filename == "Version-1.mp4"
    assert download.value.path().read_bytes()[4:8] == b"ftyp"


def test_a_link_opens_at_the_frame_that_it_was_copied_at(open_player: Callable[..., Page]) -> None:
    page = open_player()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider", name="Frame").fill("17")
    # As on another computer without https.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy link to this frame").click()
    field = page.get_by_label("Link to this frame")
    expect(field).to_be_focused()
    link = field.input_value()
    assert re.fullmatch(r"http://[^?]+/replays\?left=0&right=1&frame=17", link)
    open_player(link[link.index("?") :])
    _wait_for_frames(page, 17, 17)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_what_both_clips_show_is_asked_about(open_player: Callable[..., Page]) -> None:
    page = open_player("?frame=12")
    page.get_by_role("button", name="Ask about this moment").click()
    expect(page.get_by_text("Compare 0 at 12 and 1 at 12")).to_be_visible()
    expect(_player(page).get_by_role("status")).to_have_text("Asked 1.")


def test_two_moments_of_one_clip_are_asked_about(open_player: Callable[..., Page]) -> None:
    page = open_player("?frame=5")
    page.get_by_text("Compare", exact=True).click()
    expect(page.locator("[data-testid=replay-player] video")).to_have_count(1)
    _wait_for_frames(page, 5)
    page.get_by_role("button", name="Mark this moment").click()
    page.get_by_role("slider", name="Frame").fill("40")
    _wait_for_frames(page, 40)
    page.get_by_role("button", name="Ask: the mark against this").click()
    expect(page.get_by_text("Compare 0 at 5 and 0 at 40")).to_be_visible()
    expect(page.get_by_role("button", name="Mark this moment")).to_be_visible()


def test_a_mark_can_be_forgotten(open_player: Callable[..., Page]) -> None:
    page = open_player("?frame=5")
    page.get_by_text("Compare", exact=True).click()
    page.get_by_role("button", name="Mark this moment").click()
    page.get_by_role("button", name="Forget the mark").click()
    expect(page.get_by_role("button", name="Mark this moment")).to_be_visible()
    expect(page.get_by_role("button", name="Forget the mark")).to_be_hidden()


def test_a_long_clip_plays_before_all_of_it_is_there_and_any_part_can_be_gone_to(
    open_player: Callable[..., Page],
) -> None:
    page = open_player("?long=1")
    buffered_s = (
        "() => { const {buffered: b} = document.querySelector('video'); return b.length && b.end(0); }"
    )
    wait_until(lambda: _frame(page) >= 20, lambda: f"at frame {_frame(page)}", 20)
    assert page.evaluate(buffered_s) < LONG_FRAMES / 30 / 2
    page.get_by_role("slider", name="Frame").fill("950")
    wait_until(
        lambda: page.evaluate(READ_ALL) == [{"clip": 2, "frame": 950 % 256}],
        lambda: f"shown {page.evaluate(READ_ALL)}",
        20,
    )
    assert page.evaluate(buffered_s) < LONG_FRAMES / 30 / 2  # what lies between was not waited for
