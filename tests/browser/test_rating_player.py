"""One clip rated: by keyboard, by touch, through reloads and lost connections."""

from typing import Any

from playwright.sync_api import Browser, Page, expect
from stub_client import READ_PAIR, Studio, on_query, wait_until


def _sent(studio: Studio, page: Page, count: int) -> list[tuple[Any, ...]]:
    wait_until(lambda: len(studio.stored(page)) >= count, lambda: f"stored {studio.stored(page)}")
    return [(a["query_id"], a["side"], a.get("rating"), "of" in a) for a in studio.stored(page)]


def test_clips_are_rated_by_keyboard_alone(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rate")
    on_query(player, "q0:left")
    assert [video["clip"] for video in page.evaluate(READ_PAIR)] == [0]
    page.keyboard.press("4")
    on_query(player, "q0:right")
    page.keyboard.press("1")
    on_query(player, "q1:left")
    page.keyboard.press("s")
    on_query(player, "q1:right")
    page.keyboard.press("9")
    on_query(player, "q1:right")
    page.keyboard.press("5")
    on_query(player, "q2:left")
    assert _sent(studio, page, 4) == [
        ("q0", "left", 4, False),
        ("q0", "right", 1, False),
        ("q1", "left", None, False),
        ("q1", "right", 5, False),
    ]
    assert {answer["form"] for answer in studio.stored(page)} == {"rating"}
    expect(player).to_contain_text("2 of 20 answers today")  # two clips are one pair


def test_undo_asks_the_same_clip_again(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rate")
    for key, shown in (("4", "q0:right"), ("2", "q1:left"), ("z", "q0:right"), ("3", "q1:left")):
        page.keyboard.press(key)
        on_query(player, shown)
    assert _sent(studio, page, 4)[1:] == [
        ("q0", "right", 2, False),
        ("q0", "right", None, True),
        ("q0", "right", 3, False),
    ]


def test_reload_in_the_middle_of_a_pair_loses_nothing(page: Page, studio: Studio) -> None:
    player = studio.open(page, mode="rate")
    studio.set(page, failing=True)
    page.keyboard.press("4")
    on_query(player, "q0:right")
    expect(player).to_contain_text("kept here, will be sent")
    studio.set(page, failing=False)
    for _ in range(2):  # the rating on its way, then the one that has arrived
        player = studio.open(page, mode="rate")
        on_query(player, "q0:right")
        _sent(studio, page, 1)
    page.keyboard.press("2")
    on_query(player, "q1:left")
    page.keyboard.press("z")
    on_query(player, "q0:right")
    page.keyboard.press("z")
    on_query(player, "q0:left")


def test_phone_rates_by_touch(chromium: Browser, studio: Studio) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    player = studio.open(page, mode="rate")
    for name in ("Very bad", "So-so", "Very good"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= 844
    page.get_by_role("button", name="Very good", exact=True).tap()
    on_query(player, "q0:right")
    page.get_by_role("button", name="Can't tell").tap()
    on_query(player, "q1:left")
    page.get_by_role("button", name="Undo").tap()
    on_query(player, "q0:right")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert _sent(studio, page, 3)[0] == ("q0", "left", 5, False)
    context.close()
