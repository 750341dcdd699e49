"""What looking ahead would bring, in a browser: ordered by keyboard, then watched, wide and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from live_app import live_app
from playwright.sync_api import Browser, expect

from rlhf.clips.encode import encode_mp4
from rlhf.storage import foresights, jobs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind
from rlhf.ui.store import Store

FIRST_PAINT_MS = 40_000
CLIP = "What happened, and what was foreseen"
PLAYS = "name => document.querySelector(`[aria-label='${name}']`).currentTime > 0"
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
def address(taught_run: str, tmp_path: Path) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as started:
        yield f"{started.url}/replays?run={taught_run}"


def test_it_is_ordered_by_keyboard_and_what_is_found_can_be_watched(
    chromium: Browser, store: Store, taught_run: str, address: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    button = page.get_by_role("button", name="Look ahead")
    expect(button).to_be_visible(timeout=FIRST_PAINT_MS)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    with reading(store.engine) as connection:
        assert jobs.find(connection, JobKind.FORESEE, taught_run) is not None
    frames = np.random.default_rng(0).integers(0, 255, (30, 96, 200, 3), dtype=np.uint8)
    clip = store.blobs.write(encode_mp4(frames, 30.0), "mp4")
    with writing(store.engine) as connection:
        of_clip = {"clip_fps": 30.0, "clip_frames": len(frames)}
        foresights.finish(connection, taught_run, FOUND | of_clip, clip)
    expect(page.get_by_text("It would help: +1.5 by the learned reward")).to_be_visible(timeout=15_000)
    expect(page.get_by_label(CLIP, exact=True)).to_be_visible()
    page.wait_for_function(PLAYS, arg=CLIP)
    expect(page.get_by_role("button", name="Measure again")).to_be_visible()
    page.context.close()
    page = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(address)
    expect(page.get_by_label(CLIP, exact=True)).to_be_visible(timeout=FIRST_PAINT_MS)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.context.close()
