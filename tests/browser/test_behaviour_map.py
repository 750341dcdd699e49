"""The Map page in a real browser: look at behaviour, choose some, ask about it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from barcode_clips import FPS, FRAMES, barcode_clip
from live_app import live_app, wait_until
from playwright.sync_api import Browser, Locator, Page, expect
from small_map import small_map, store_map

from rlhf.storage import queries, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import QueryKind
from rlhf.ui.store import Store

Make = Callable[..., str]
FIRST_PAINT_MS = 40_000
COLUMNS, ROWS = 8, 5
MANY = 100_000


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


@pytest.fixture
def map_id(store: Store, run_id: str, make_segment: Make) -> str:
    """Forty segments in five rows of eight, all with a clip that can be played."""
    ids = [make_segment(run_id) for _ in range(COLUMNS * ROWS)]
    clip = store.blobs.write(barcode_clip(0), "mp4")
    with writing(store.engine) as connection:
        for one in ids:
            poster = segments.get_segment_row(connection, one)["poster"]
            options = {"clip": clip, "poster": poster, "fps": FPS, "frames": FRAMES}
            segments.set_clip(connection, one, ended_at_frame=None, **options)
    places = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), axis=-1).reshape(-1, 2)
    return store_map(store.engine, store.blobs, run_id, small_map(ids, places=places))


@pytest.fixture
def app(tmp_path: Path, run_id: str, map_id: str) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as app:
        yield f"{app.url}/map?run={run_id}"


@pytest.fixture
def page(chromium: Browser) -> Page:
    return chromium.new_context(viewport={"width": 1280, "height": 1000}).new_page()


def open_map(page: Page, address: str, number: int = COLUMNS * ROWS) -> Locator:
    page.goto(address)
    shown = page.get_by_test_id("behaviour-map")
    expect(shown).to_have_attribute("data-state", "ready", timeout=FIRST_PAINT_MS)
    expect(shown).to_have_attribute("data-points", str(number))
    shown.locator("canvas").scroll_into_view_if_needed()
    return shown


def spot(shown: Locator, column: float, row: float) -> tuple[float, float]:
    """Return where a point of the grid is on the page: the map fills its canvas but for a margin."""
    box = shown.locator("canvas").bounding_box()
    assert box is not None
    margin = 14
    x = box["x"] + margin + column / (COLUMNS - 1) * (box["width"] - 2 * margin)
    return x, box["y"] + box["height"] - margin - row / (ROWS - 1) * (box["height"] - 2 * margin)


def lasso(page: Page, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    page.mouse.up()


def count_picked(store: Store, run_id: str) -> int:
    with reading(store.engine) as connection:
        return queries.count_of_kind(connection, run_id, QueryKind.PICKED)


def test_pointing_at_a_dot_shows_its_clip(page: Page, app: str) -> None:
    shown = open_map(page, app)
    page.mouse.move(*spot(shown, 3, 2))
    card = shown.locator(".bm-card")
    expect(card.locator("figure")).to_have_attribute("data-state", "ready", timeout=FIRST_PAINT_MS)
    expect(card).to_contain_text("policy version 19")
    page.mouse.move(*spot(shown, 3.5, 2.5))
    expect(card).to_be_hidden()


def test_a_lassoed_region_is_shown_and_asked_about(page: Page, app: str, store: Store, run_id: str) -> None:
    shown = open_map(page, app)
    corners = [spot(shown, *at) for at in ((-0.05, 1.5), (-0.05, 4.05), (2.5, 4.05), (2.5, 1.5))]
    lasso(page, corners)
    expect(shown).to_have_attribute("data-chosen", "9")  # rows 2 to 4, columns 0 to 2
    expect(shown.get_by_text("9 chosen")).to_be_visible()
    tiles = shown.locator(".bm-tiles figure")
    expect(tiles.and_(page.locator("[data-state=ready]"))).to_have_count(8, timeout=FIRST_PAINT_MS)
    shown.get_by_label("Questions").select_option("3")
    shown.get_by_role("button", name="Ask about these next").click()
    expect(shown.get_by_text("3 questions come next")).to_be_visible(timeout=FIRST_PAINT_MS)
    assert count_picked(store, run_id) == 3
    expect(shown.get_by_role("link", name="Answer them")).to_have_attribute(
        "href", f"{app.rpartition('/')[0]}/label?run={run_id}"
    )
    shown.get_by_role("button", name="Clear").click()
    expect(shown).to_have_attribute("data-chosen", "0")
    expect(shown.get_by_role("button", name="Ask about these next")).to_be_hidden()


def test_the_keyboard_reaches_every_dot_and_chooses(page: Page, app: str) -> None:
    shown = open_map(page, app)
    shown.locator("canvas").focus()
    for key in ["ArrowLeft"] * COLUMNS + ["ArrowDown"] * ROWS:
        page.keyboard.press(key)
    expect(shown).to_have_attribute("data-focused", "0")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-focused", "1")
    page.keyboard.press("ArrowUp")
    expect(shown).to_have_attribute("data-focused", str(COLUMNS + 1))
    page.keyboard.press("Enter")
    expect(shown).to_have_attribute("data-chosen", "24")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(shown).to_have_attribute("data-chosen", "0")


def test_dots_are_coloured_by_what_one_likes_and_stay_so(page: Page, app: str) -> None:
    shown = open_map(page, app)
    expect(shown).to_have_attribute("data-colouring", "Reward")
    before = colours(shown)
    button = shown.get_by_role("button", name="Answers")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(shown.get_by_text("no answer: 40")).to_be_visible()
    wait_until(lambda: colours(shown) != before, 10)
    assert len(colours(shown)) < len(before)


def colours(shown: Locator) -> set[int]:
    """Return the colours on the canvas, half-covered edges left out by their rarity."""
    script = """canvas => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const seen = {};
        for (let at = 0; at < data.length; at += 4) {
            const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
            seen[colour] = (seen[colour] || 0) + 1;
        }
        return Object.keys(seen).filter((colour) => seen[colour] >= 30).map(Number);
    }"""
    return set(shown.locator("canvas").evaluate(script))


def test_a_newer_map_takes_its_place_and_what_is_chosen_stays(
    page: Page, app: str, store: Store, run_id: str, make_segment: Make
) -> None:
    shown = open_map(page, app)
    page.mouse.move(*spot(shown, 0, 0))
    expect(shown).to_have_attribute("data-focused", "0")
    shown.locator("canvas").focus()
    page.keyboard.press("Enter")
    expect(shown).to_have_attribute("data-chosen", "24")
    with reading(store.engine) as connection:
        rows = connection.execute(segments.segments.select()).mappings().all()
    ids = [row["id"] for row in rows] + [make_segment(run_id)]
    newer = store_map(store.engine, store.blobs, run_id, small_map(ids))
    expect(shown).to_have_attribute("data-map", newer, timeout=FIRST_PAINT_MS)
    expect(shown).to_have_attribute("data-points", str(COLUMNS * ROWS + 1))
    expect(shown).to_have_attribute("data-chosen", "24")


def test_by_touch_on_a_phone(chromium: Browser, app: str, store: Store, run_id: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    shown = open_map(page, app)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.touchscreen.tap(*spot(shown, 4, 2))
    expect(shown.locator(".bm-card figure")).to_have_attribute("data-state", "ready", timeout=FIRST_PAINT_MS)
    shown.get_by_role("button", name="Zoom in").tap()
    lasso(page, [spot(shown, *at) for at in ((1, 1), (1, 3), (6, 3), (6, 1))])
    expect(shown.get_by_text("chosen")).to_be_visible()


def test_a_hundred_thousand_points_can_be_chosen_from(
    page: Page, store: Store, run_id: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(MANY, 2)) * (3, 1)
    returns = np.stack([places[:, 0], places[:, 0] + rng.normal(size=MANY)])
    ids = [f"{number:032x}" for number in range(MANY)]
    store_map(store.engine, store.blobs, run_id, small_map(ids, places=places, returns=returns))
    with live_app(tmp_path / "data", worker="external") as app:
        shown = open_map(page, f"{app.url}/map?run={run_id}", MANY)
        for name in ("Zoom in", "Zoom out", "Show all"):
            shown.get_by_role("button", name=name).click()
        box = shown.locator("canvas").bounding_box()
        assert box is not None
        (left, top), (width, height) = (box["x"], box["y"]), (box["width"], box["height"])
        half = [
            (left + 9, top + 9),
            (left + width / 2, top + 9),
            (left + width / 2, top + height - 9),
            (left + 9, top + height - 9),
        ]
        lasso(page, half)
        number = int(wait_until(lambda: shown.get_attribute("data-chosen"), 20))
    expected = (places[:, 0] < (places[:, 0].min() + places[:, 0].max()) / 2).sum()
    assert abs(number - expected) < 0.01 * MANY
