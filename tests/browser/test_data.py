"""The Data page in a real browser: narrow down, look at an answer, set it aside, bring it back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from barcode_clips import FPS, FRAMES, barcode_clip
from live_app import live_app, wait_until
from playwright.sync_api import Browser, Page, expect

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import answers, queries, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]
FIRST_PAINT_MS = 40_000


@pytest.fixture
def run_id(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> str:
    """Six answers, every other one LEFT; the third has a comment. Their clips can be played."""
    run_id, person = make_run(), make_annotator()
    clips = [store.blobs.write(barcode_clip(number), "mp4") for number in range(2)]
    for index in range(6):
        query_id = make_query(run_id)
        details = {"comment": "Falls over"} if index == 2 else {}
        choice = (Choice.LEFT, Choice.RIGHT)[index % 2]
        answer = Answer(key=f"answer-{index:04}", query_id=query_id, choice=choice, details=details)
        record_answer(store.engine, run_id, person, answer)
        with writing(store.engine) as connection:
            query = queries.get_query(connection, query_id)
            for side, clip in zip((query["left_id"], query["right_id"]), clips, strict=True):
                poster = segments.get_segment_row(connection, side)["poster"]
                options = {"clip": clip, "poster": poster, "fps": FPS, "frames": FRAMES}
                segments.set_clip(connection, side, ended_at_frame=None, **options)
    return run_id


@pytest.fixture
def app(tmp_path: Path, run_id: str) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as app:
        yield f"{app.url}/data?run={run_id}"


def _stand(store: Store, run_id: str, number: int) -> None:
    def count() -> int:
        with reading(store.engine) as connection:
            return sum(answers.count_standing(connection, run_id).values())

    wait_until(lambda: count() == number, 30, lambda: f"{count()} stand, not {number}")


def _shows(page: Page, number: int) -> None:
    expect(page.get_by_text(f"{number} answers", exact=True)).to_be_visible(timeout=FIRST_PAINT_MS)


def test_answers_are_filtered_set_aside_and_brought_back(
    chromium: Browser, store: Store, run_id: str, app: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(app)
    _shows(page, 6)

    page.get_by_label("Search comments and tags").fill("falls")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 answer", exact=True)).to_be_visible()
    page.get_by_role("button", name="Left better").click()
    player = page.get_by_test_id("replay-player")
    expect(player).to_have_attribute("data-state", "ready", timeout=FIRST_PAINT_MS)
    expect(player.locator("video")).to_have_count(2)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("a slip of the finger")
    dialog.get_by_role("button", name="Set aside", exact=True).click()
    _stand(store, run_id, 5)
    expect(dialog).to_be_hidden(timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("0 answers", exact=True)).to_be_visible(timeout=FIRST_PAINT_MS)

    page.goto(f"{app}&answer=answer-0002")
    dialog.get_by_role("button", name="Bring back").click(timeout=FIRST_PAINT_MS)
    _stand(store, run_id, 6)
    expect(dialog).to_be_hidden(timeout=FIRST_PAINT_MS)
    _shows(page, 6)


def test_all_that_were_found_are_set_aside_and_come_back_by_one_tap_on_a_phone(
    chromium: Browser, store: Store, run_id: str, app: str
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(app)
    _shows(page, 6)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Set all 6 aside…").tap()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("6 answers")
    dialog.get_by_label("Why?").fill("a broken keyboard")
    dialog.get_by_role("button", name="Set 6 answers aside").tap()
    _stand(store, run_id, 0)
    expect(dialog).to_be_hidden(timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("set aside 6 answers").first).to_be_visible(timeout=FIRST_PAINT_MS)
    page.get_by_role("button", name="Undo", exact=True).tap()
    _stand(store, run_id, 6)
    _shows(page, 6)
