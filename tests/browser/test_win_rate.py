"""The win rate in a real browser: on both pages that show it, wide and on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_app import live_app
from playwright.sync_api import Browser, expect

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import models
from rlhf.storage.engine import writing
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., Any]
FIRST_PAINT_MS = 40_000
VERSIONS = range(0, 400, 10)


@pytest.fixture
def app(
    store: Store,
    make_run: Make,
    make_segment: Make,
    make_blind_pair: Make,
    make_annotator: Make,
    tmp_path: Path,
) -> Iterator[Callable[[str], str]]:
    """``app(page)`` returns the address of a page of a run of 40 policies; 12 blind pairs, 9 won by newer."""
    run_id, person = make_run(total_steps=200_000), make_annotator()
    replay_id = make_segment(run_id)
    with writing(store.engine) as connection:
        for version in VERSIONS:
            facts: dict[str, Any] = {"steps": 500 * version, "reward_version": 0, "num_answers": version}
            models.insert_policy_version(connection, run_id, version, arrays="none", **facts)
            models.set_evaluation(connection, run_id, version, replay_id=replay_id, evaluation={})
    for index in range(12):
        query_id = make_blind_pair(run_id, 30 * (index + 1), 30 * index)
        choice = Choice.RIGHT if index % 4 == 3 else Choice.LEFT
        record_answer(
            store.engine, run_id, person, Answer(key=f"key-{index:05}", query_id=query_id, choice=choice)
        )
    with live_app(tmp_path / "data", worker="external") as started:
        yield lambda page: f"{started.url}/{page}?run={run_id}"


def test_the_win_rate_is_drawn_on_both_pages(chromium: Browser, app: Callable[[str], str]) -> None:
    for name, width in (("training", 1280), ("replays", 390)):
        page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
        page.goto(app(name))
        title = page.get_by_text("People prefer the newer version")
        expect(title).to_be_visible(timeout=FIRST_PAINT_MS)
        expect(page.get_by_text("75% (47%–91%) of 12 blind pairs.")).to_be_visible()
        chart = page.locator('[class*="st-key-win-rate-"] [data-testid=stVegaLiteChart]')
        expect(chart).to_be_visible(timeout=FIRST_PAINT_MS)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) == 0
        page.context.close()
