"""A researcher designs a reward with the keyboard, and sees the reward version that came of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from designed_run import make_designed_run, take_a_turn
from live_app import live_app, wait_until
from playwright.sync_api import Browser, expect

from rlhf.storage import designs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

FIRST_PAINT_MS = 40_000


@pytest.fixture
def run_id(store: Store, make_run: Callable[..., str]) -> str:
    """A run with a design that it has taken up."""
    return make_designed_run(store, make_run)


@pytest.fixture
def app(tmp_path: Path, run_id: str) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as app:
        yield f"{app.url}/reward_model?run={run_id}&view=design"


def weight(store: Store, run_id: str) -> tuple[int, float]:
    with reading(store.engine) as connection:
        number, design = designs.newest_design(connection, run_id)
    return number, design.terms[0].weight


def test_a_slider_moved_by_keyboard_becomes_the_next_reward_version(
    chromium: Browser, store: Store, run_id: str, app: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    page.goto(app)
    version = page.get_by_role("combobox", name="Reward version")
    expect(version).to_have_value("Newest (1)", timeout=FIRST_PAINT_MS)
    use = page.get_by_role("button", name="Use this design")
    expect(use).to_be_disabled()
    slider = page.get_by_role("slider", name="Weight of cosine of angle")
    expect(slider).to_have_value("1", timeout=FIRST_PAINT_MS)
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1.5", timeout=FIRST_PAINT_MS)
    expect(use).to_be_enabled(timeout=FIRST_PAINT_MS)
    use.focus()
    page.keyboard.press("Enter")
    wait_until(lambda: weight(store, run_id) == (2, 1.5), 30, lambda: f"{weight(store, run_id)}")
    expect(page.get_by_text("The newest design is taken up when the run goes on.")).to_be_visible(
        timeout=FIRST_PAINT_MS
    )
    take_a_turn(store, run_id)
    expect(version).to_have_value("Newest (2)", timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("Fitted to no answers yet under design 2 by studio")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
