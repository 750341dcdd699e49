"""Four clips put in order: by keyboard, by touch, through reloads and lost connections."""

import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from stub_client import READ_PAIR, Studio, on_query, wait_until

# The stub's query n shows clips 2n and 2n + 1, so the first four are those of q0 and q1.
FIRST, SECOND = "q0+q1", "q2+q3"


def _sent(studio: Studio, page: Page, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(studio.stored(page)) >= count, lambda: f"stored {studio.stored(page)}")
    return studio.stored(page)


def _shown(page: Page) -> list[int | None]:
    return [video and video["clip"] for video in page.evaluate(READ_PAIR)]


def test_order_by_keyboard_alone(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    on_query(player, FIRST)
    assert _shown(page) == [0, 1, 2, 3]
    for key in ("3", "1", "4", "2"):
        page.keyboard.press(key)
    expect(player).to_have_attribute("data-picks", "3142")
    expect(page.get_by_role("button", name="Clip 4, 3rd")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    on_query(player, SECOND)
    expect(player).to_have_attribute("data-picks", "")
    (answer,) = _sent(studio, page, 1)
    assert (answer["form"], answer["query_ids"]) == ("ranking", ["q0", "q1"])
    assert answer["places"] == [["q1", "left"], ["q0", "left"], ["q1", "right"], ["q0", "right"]]
    assert answer["shown_at"] < answer["answered_at"]
    wait_until(lambda: _shown(page) == [4, 5, 6, 7], lambda: f"shown {_shown(page)}")


def test_the_best_alone_is_enough_and_nothing_is_not(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    page.keyboard.press("Enter")
    on_query(player, FIRST)
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="Send: best of four")).to_be_enabled()
    page.keyboard.press("Enter")
    on_query(player, SECOND)
    page.keyboard.press("s")
    on_query(player, "q4+q5")
    best, none = _sent(studio, page, 2)
    assert (best["places"], none["places"]) == ([["q0", "right"]], [])


def test_picks_can_be_taken_back_and_changed(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    for key, picks in (("1", "1"), ("2", "12"), ("Backspace", "1"), ("4", "14"), ("1", "4"), ("3", "43")):
        page.keyboard.press(key)
        expect(player).to_have_attribute("data-picks", picks)
    page.keyboard.press("1")
    expect(page.get_by_role("button", name="Clip 2, 4th")).to_be_visible()  # it follows from the three
    page.keyboard.press("Enter")
    assert _sent(studio, page, 1)[0]["places"] == [["q1", "right"], ["q1", "left"], ["q0", "left"]]


def test_undo_asks_the_same_four_again(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    on_query(player, SECOND)
    page.keyboard.press("z")
    on_query(player, FIRST)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    on_query(player, SECOND)
    first, undo, again = _sent(studio, page, 3)
    assert (undo["of"], undo["query_ids"]) == (first["key"], ["q0", "q1"])
    assert again["places"] == [["q0", "right"]]


def test_the_four_clips_play_in_step(page: Page, studio: Studio) -> None:
    studio.open(page, mode="rank")
    page.wait_for_timeout(700)
    apart = page.evaluate(
        """async () => {
          const apart = [];
          for (let tick = 0; tick < 60; tick += 1) {
            await new Promise(requestAnimationFrame);
            const read = [...document.querySelectorAll('.pp-shown video')].map(readBarcode);
            const frames = read.filter(Boolean).map(({frame}) => frame);
            if (frames.length === 4) apart.push(Math.max(...frames) - Math.min(...frames));
          }
          return apart;
        }"""
    )
    assert statistics.median(apart) <= 2


def test_reload_in_the_middle_keeps_picks_unsent_answers_and_undo(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    studio.set(page, failing=True)
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    on_query(player, SECOND)
    page.keyboard.press("3")
    expect(player).to_contain_text("kept here, will be sent")
    studio.set(page, failing=False)
    player = studio.open(page, mode="rank")
    on_query(player, SECOND)
    expect(player).to_have_attribute("data-picks", "3")
    page.keyboard.press("Enter")
    on_query(player, "q4+q5")
    assert [a["query_ids"] for a in _sent(studio, page, 2)] == [["q0", "q1"], ["q2", "q3"]]
    page.keyboard.press("z")
    page.keyboard.press("z")
    on_query(player, FIRST)


def test_one_pair_is_too_few(page: Page, studio: Studio) -> None:
    studio.set(page, supply=1)
    player = studio.open(page, mode="rank", state="waiting")
    expect(player).to_contain_text("Rendering the next four clips…")
    studio.set(page, supply=2)
    on_query(player, FIRST)


def test_focused_button_and_keys_do_not_get_in_each_others_way(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rank")
    page.get_by_role("button", name="Clip 2", exact=True).focus()
    page.keyboard.press("Enter")
    expect(player).to_have_attribute("data-picks", "2")
    page.keyboard.press("1")
    expect(player).to_have_attribute("data-picks", "21")
    page.get_by_role("textbox", name="Note").focus()
    page.keyboard.type("34z")
    expect(player).to_have_attribute("data-picks", "21")


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def test_phone_orders_by_touch(phone: Page, studio: Studio) -> None:
    player = studio.open(phone, mode="rank")
    send = phone.get_by_role("button", name="Send the order")
    before = send.bounding_box()
    for number in (2, 1):
        phone.get_by_role("button", name=f"Clip {number}", exact=True).tap()
    assert send.bounding_box() == before  # nothing moves
    for button in phone.locator(".pp-answers button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= 844
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    send.tap()
    on_query(player, SECOND)
    phone.get_by_role("button", name="Undo").tap()
    on_query(player, FIRST)
    sent = _sent(studio, phone, 2)
    assert sent[0]["places"] == [["q0", "right"], ["q0", "left"]]
