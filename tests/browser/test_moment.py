"""The moment that decided: marked while watching or afterwards, shown again, taken away, asked for."""

from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from stub_client import Studio, on_query, wait_until


def _stop_at(page: Page, player: Locator, frame: int) -> None:
    """Stop the clips at a frame, by keyboard."""
    expect(player).not_to_have_attribute("data-frame-left", "0")
    page.keyboard.press(" ")
    page.get_by_role("slider", name="Frame").evaluate(
        "(bar, frame) => { bar.value = frame; bar.dispatchEvent(new Event('input')); }", frame
    )
    expect(player).to_have_attribute("data-frame-left", str(frame))


def _stored(studio: Studio, page: Page, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(studio.stored(page)) >= count, lambda: f"stored {studio.stored(page)}")
    return studio.stored(page)


def test_moment_marked_by_key_goes_with_the_answer(page: Page, studio: Studio) -> None:
    player, tick = studio.open(page), page.locator(".pb-mark")
    _stop_at(page, player, 30)
    expect(tick).to_be_hidden()
    page.keyboard.press("m")
    expect(tick).to_be_visible()
    expect(page.get_by_role("button", name="Unmark the moment at 1.0 s")).to_have_attribute(
        "aria-pressed", "true"
    )
    bar, mark = page.locator(".pb-scrub").bounding_box(), tick.bounding_box()
    assert bar is not None
    assert mark is not None
    assert abs((mark["x"] + 1.5 - bar["x"] - 7) / (bar["width"] - 14) - 30 / 59) < 0.02
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    expect(tick).to_be_hidden()
    page.keyboard.press("ArrowRight")
    first, second = _stored(studio, page, 2)
    assert (first["choice"], first["moment"]) == ("left", {"frame": 30})
    assert "moment" not in second


def test_mark_is_taken_away_by_the_same_key(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("m")
    expect(page.locator(".pb-mark")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".pb-mark")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    assert "moment" not in _stored(studio, page, 1)[0]


def test_moment_is_shown_and_changed_with_an_earlier_answer_in_another_tab(
    context: BrowserContext, page: Page, studio: Studio
) -> None:
    player = studio.open(page)
    _stop_at(page, player, 12)
    page.keyboard.press("m")
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    _stored(studio, page, 1)
    other = context.new_page()
    player = studio.open(other)
    expect(other.locator(".pp-thumb").first).to_have_attribute(
        "title", "You said: left is better, decided at 0.4 s"
    )
    other.keyboard.press("h")
    on_query(player, "q0")
    expect(other.get_by_role("button", name="Unmark the moment at 0.4 s")).to_be_visible()
    other.keyboard.press("m")
    expect(other.locator(".pb-mark")).to_be_hidden()
    on_query(player, "q0")
    given, change = _stored(studio, other, 2)
    assert (change["completes"], change["choice"]) == (given["key"], "left")
    assert "moment" not in change


def test_moment_is_asked_for_only_where_wished_and_never_in_the_way(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    question = page.get_by_role("button", name="Which moment decided?")
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    expect(question).to_be_hidden()
    page.keyboard.press("?")
    page.get_by_label("Ask for the moment that decided").focus()
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(question).to_be_visible()
    page.keyboard.press("ArrowDown")  # nothing decided: no question
    on_query(player, "q2")
    expect(question).to_be_hidden()
    page.keyboard.press("ArrowRight")
    on_query(player, "q3")
    page.keyboard.press("Shift+M")
    on_query(player, "q2")
    expect(player).to_contain_text("You said: right is better. Mark the moment that decided.")
    page.keyboard.press("m")
    on_query(player, "q3")
    expect(question).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    on_query(player, "q4")
    answers = _stored(studio, page, 5)
    assert [(a["query_id"], "moment" in a) for a in answers] == [
        ("q0", False),
        ("q1", False),
        ("q2", False),
        ("q2", True),
        ("q3", False),
    ]
    studio.open(page)  # the wish stays
    expect(question).to_be_visible()


def test_phone_marks_the_moment_by_touch(chromium: Browser, studio: Studio) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    player = studio.open(page)
    page.get_by_role("button", name="Mark the moment").tap()
    expect(page.locator(".pb-mark")).to_be_visible()
    page.get_by_role("button", name="Left better", exact=True).tap()
    on_query(player, "q1")
    assert _stored(studio, page, 1)[0]["moment"]["frame"] >= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
