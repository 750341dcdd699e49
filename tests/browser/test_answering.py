"""Ways to answer beyond one key: strength, reasons, changed sides, own keys, fingers."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from stub_client import Studio, on_query, wait_until


def _answers(studio: Studio, page: Page, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(studio.stored(page)) >= count, lambda: f"stored {studio.stored(page)}")
    return studio.stored(page)


def _said(answer: dict[str, Any]) -> tuple[Any, ...]:
    return (answer["choice"], answer.get("strength"), answer.get("both_bad"))


EVERY = [
    ("ArrowLeft", "Left better", ("left", 1, None)),
    ("Shift+ArrowLeft", "Left much better", ("left", 2, None)),
    ("ArrowRight", "Right better", ("right", 1, None)),
    ("Shift+ArrowRight", "Right much better", ("right", 2, None)),
    ("ArrowDown", "Equal", ("equal", None, None)),
    ("b", "Both bad", ("equal", None, True)),
    ("s", "Can't tell", ("skip", None, None)),
]


def test_every_answer_by_key(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    for number, (key, _, _) in enumerate(EVERY):
        on_query(player, f"q{number}")
        page.keyboard.press(key)
    assert [_said(answer) for answer in _answers(studio, page, len(EVERY))] == [said for *_, said in EVERY]


def test_every_answer_by_button(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    for number, (_, name, _) in enumerate(EVERY):
        on_query(player, f"q{number}")
        page.get_by_role("button", name=name, exact=True).click()
    assert [_said(answer) for answer in _answers(studio, page, len(EVERY))] == [said for *_, said in EVERY]


def test_reasons_follow_the_answer_while_the_next_pair_is_on_screen(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    page.keyboard.press("2")
    page.keyboard.press("4")
    page.keyboard.press("2")
    page.get_by_role("button", name="fewer mistakes").click()
    expect(page.get_by_role("button", name="steadier")).to_have_attribute("aria-pressed", "true")
    wanted = ["steadier", "fewer mistakes"]
    wait_until(lambda: studio.stored(page)[-1].get("tags") == wanted, lambda: f"stored {studio.stored(page)}")
    answer, *_, reason = studio.stored(page)
    on_query(player, "q1")
    assert (answer["choice"], reason["query_id"], reason["comment"]) == ("left", "q0", "")
    assert reason["completes"] in [stored["key"] for stored in studio.stored(page)[:-1]]


def test_own_reason_and_comment_by_keyboard_give_the_keys_back(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    page.keyboard.press("n")
    page.keyboard.type("so calm, b z s")
    page.keyboard.press("Enter")
    expect(player).to_be_focused()
    page.get_by_role("textbox", name="Another reason").fill("Limping")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="limping")).to_have_attribute("aria-pressed", "true")
    wait_until(
        lambda: (
            [studio.stored(page)[-1].get(name) for name in ("comment", "tags")]
            == ["so calm, b z s", ["limping"]]
        ),
        lambda: f"stored {studio.stored(page)}",
    )
    page.keyboard.press("ArrowRight")
    on_query(player, "q2")
    expect(page.get_by_role("button", name="limping")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("")


def test_undo_takes_back_the_answer_with_its_reason(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    page.keyboard.press("1")
    page.keyboard.press("z")
    on_query(player, "q0")
    _, reason, undo = _answers(studio, page, 3)
    assert (undo["choice"], undo["of"]) == ("undo", reason["key"])


def _sides(page: Page) -> list[float]:
    boxes = [video.bounding_box() for video in page.locator(".pp-shown video").all()]
    return [box["x"] if box else math.nan for box in boxes]


def test_sides_change_while_the_key_is_held_and_the_answer_is_stored_as_seen(
    page: Page, studio: Studio
) -> None:
    player = studio.open(page)
    left, right = _sides(page)
    page.keyboard.down("x")
    expect(player.get_by_text("Sides changed over", exact=True).first).to_be_visible()
    assert _sides(page) == [right, left]
    expect(page.locator(".pp-shown video").first).to_have_attribute("aria-label", "Right clip")
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    page.keyboard.up("x")
    wait_until(lambda: _sides(page) == [left, right], lambda: f"clips at {_sides(page)}")
    page.keyboard.press("ArrowLeft")
    on_query(player, "q2")
    held, plain = _answers(studio, page, 2)
    assert (held["choice"], held["is_swapped"], held["swaps"]) == ("left", True, 1)
    assert "is_swapped" not in plain
    # The strip shows the clips as they were asked, the newest first, and is drawn after the next pair.
    expect(page.locator(".pp-thumb b")).to_have_text(["‹", "›"])


def test_keys_can_be_changed_and_stay_changed(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and goal")
    expect(dialog).to_be_visible()
    page.get_by_role("button", name="Left better: ←, change").click()
    page.keyboard.press("s")
    expect(dialog.get_by_role("alert")).to_contain_text("taken by “Can't tell”")
    page.keyboard.press("7")
    expect(dialog.get_by_role("alert")).to_contain_text("Digits")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Left better: A, change")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    on_query(player, "q0")
    player = studio.open(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+A")
    on_query(player, "q1")
    expect(page.locator("[data-choice=left] kbd")).to_have_text("A")
    (answer,) = _answers(studio, page, 1)
    assert _said(answer) == ("left", 2, None)
    page.keyboard.press("?")
    page.get_by_role("button", name="Keys as they were").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()  # until then the keys are its own
    page.keyboard.press("ArrowLeft")
    on_query(player, "q2")


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


class Finger:
    """One finger on the screen, for longer than a tap."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def down(self, on: Locator) -> None:
        box = on.bounding_box()
        assert box is not None
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})

    def up(self) -> None:
        self.session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_phone_shows_the_clips_side_by_side_without_overflow(phone: Page, studio: Studio) -> None:
    player = studio.open(phone)
    phone.get_by_role("button", name="Left better", exact=True).tap()
    on_query(player, "q1")
    left, right = (video.bounding_box() for video in phone.locator(".pp-shown video").all())
    assert left is not None
    assert right is not None
    assert (left["y"], left["height"]) == (right["y"], right["height"])
    assert left["width"] > 150
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert player.evaluate("e => getComputedStyle(e).touchAction") == "manipulation"


def test_phone_answers_are_large_and_under_the_thumb(phone: Page, studio: Studio) -> None:
    player = studio.open(phone)
    buttons = {name: phone.get_by_role("button", name=name, exact=True) for _, name, _ in EVERY}
    boxes = {name: button.bounding_box() for name, button in buttons.items()}
    buttons["Left better"].tap()
    on_query(player, "q1")
    assert {name: button.bounding_box() for name, button in buttons.items()} == boxes  # nothing moves
    for name, box in boxes.items():
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 390, name
        assert 422 <= box["y"] <= 844 - box["height"], name


def test_phone_long_press_answers_much_better_and_only_once(phone: Page, studio: Studio) -> None:
    player = studio.open(phone)
    finger = Finger(phone)
    finger.down(phone.get_by_role("button", name="Right better", exact=True))
    on_query(player, "q1")
    phone.wait_for_timeout(100)
    finger.up()
    phone.wait_for_timeout(300)
    on_query(player, "q1")
    phone.get_by_role("button", name="Left much better", exact=True).tap()
    on_query(player, "q2")
    assert [_said(answer) for answer in _answers(studio, phone, 2)] == [
        ("right", 2, None),
        ("left", 2, None),
    ]


def test_phone_looks_back_answers_again_and_gives_a_reason_by_touch(phone: Page, studio: Studio) -> None:
    player = studio.open(phone)
    for number in range(2):
        on_query(player, f"q{number}")
        phone.get_by_role("button", name="Left better", exact=True).tap()
    on_query(player, "q2")
    phone.get_by_role("button", name="Answer 2 back").tap()
    on_query(player, "q0")
    phone.get_by_role("button", name="Both bad", exact=True).tap()
    on_query(player, "q2")
    phone.get_by_role("button", name="faster").tap()
    answers = _answers(studio, phone, 4)
    assert [(a["query_id"], a["choice"]) for a in answers[2:]] == [("q0", "equal"), ("q0", "equal")]
    assert answers[3]["tags"] == ["faster"]


def test_phone_changes_sides_while_the_button_is_held(phone: Page, studio: Studio) -> None:
    studio.open(phone)
    left, right = _sides(phone)
    button = phone.get_by_role("button", name="Hold to change sides")
    button.scroll_into_view_if_needed()
    finger = Finger(phone)
    finger.down(button)
    wait_until(lambda: _sides(phone) == [right, left], lambda: f"clips at {_sides(phone)}")
    finger.up()
    wait_until(lambda: _sides(phone) == [left, right], lambda: f"clips at {_sides(phone)}")
