"""What looking ahead would bring, in a browser: ordered by keyboard, then watched, wide and on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_app import live_app
from playwright.sync_api import Browser, expect

from rlhf.clips.encode import encode_mp4
from rlhf.storage import foresights, jobs, models, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind
from rlhf.ui.store import Store

Make = Callable[..., Any]
FIRST_PAINT_MS = 40_000
FOUND = {
    "with": [12.0, 13.0],
    "alone": [10.0, 10.0],
    "predicted_with": [3.0, 4.0],
    "predicted_alone": [2.0, 2.0],
    "gain": {"mean": 1.5, "low": 0.5, "high": 2.5},
    "difference": 2.5,
    "overruled": 0.25,
    "held_out_error": 0.031,
}


@pytest.fixture
def run_id(store: Store, make_run: Make, make_segment: Make) -> str:
    """A run with one recorded policy."""
    made: str = make_run()
    replay_id = make_segment(made)
    with writing(store.engine) as connection:
        facts: dict[str, Any] = {"steps": 100, "reward_version": 1, "num_answers": 0}
        models.insert_policy_version(connection, made, 1, arrays="none", **facts)
        models.set_evaluation(connection, made, 1, replay_id=replay_id, evaluation={})
        models.insert_checkpoint(connection, made, arrays="none", steps=100, keep=1)
        runs.update_run(connection, made, reward_version=1)
    return made


@pytest.fixture
def address(run_id: str, tmp_path: Path) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as started:
        yield f"{started.url}/replays?run={run_id}"


def test_it_is_ordered_by_keyboard_and_what_is_found_can_be_watched(
    chromium: Browser, store: Store, run_id: str, address: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    button = page.get_by_role("button", name="Look ahead")
    expect(button).to_be_visible(timeout=FIRST_PAINT_MS)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    with reading(store.engine) as connection:
        assert jobs.find(connection, JobKind.FORESEE, run_id) is not None
    frames = np.random.default_rng(0).integers(0, 255, (30, 96, 200, 3), dtype=np.uint8)
    clip = store.blobs.write(encode_mp4(frames, 30.0), "mp4")
    with writing(store.engine) as connection:
        foresights.finish(connection, run_id, FOUND, clip)
    expect(page.get_by_text("It would help: +1.5 by the learned reward")).to_be_visible(timeout=15_000)
    video = page.get_by_test_id("stVideo")
    expect(video).to_be_visible()
    page.wait_for_function("document.querySelector('[data-testid=stVideo]').currentTime > 0")
    expect(page.get_by_role("button", name="Measure again")).to_be_visible()
    page.context.close()
    page = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(address)
    expect(page.get_by_test_id("stVideo")).to_be_visible(timeout=FIRST_PAINT_MS)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.context.close()
