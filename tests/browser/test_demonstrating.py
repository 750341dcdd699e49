"""A person shows episodes in the real app: by keyboard, by touch, and from where the agent had got to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from live_app import LiveApp, live_app, wait_until
from playwright.sync_api import Browser, Locator, Page, expect

from rlhf.storage import demonstrations
from rlhf.storage.engine import open_engine, reading
from rlhf.types.demonstration import DemonstrationSource

READY_MS = 90_000
OVER_MS = 60_000
MIN_FPS = 5.0
"""Far below what an idle machine gives: this one may be busy."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with live_app(Path(tmp_path_factory.mktemp("demonstrating")) / "data") as app:
        yield app


def open_player(page: Page, app: LiveApp, task: str, state: str = "ready") -> tuple[str, Locator]:
    """Open the page of a new run of ``task``; return the run and the player once it is in ``state``."""
    run_id = app.cli("run", "new", "--task", task)["run"]
    page.goto(f"{app.url}/demonstrate?run={run_id}")
    player = page.get_by_test_id("demonstration-player")
    expect(player).to_have_attribute("data-state", state, timeout=READY_MS)
    return run_id, player


def stored(app: LiveApp, run_id: str) -> list[sa.RowMapping]:
    engine = open_engine(f"sqlite:///{app.data_dir / 'rlhf.db'}")
    with reading(engine) as connection:
        rows = demonstrations.list_demonstrations(connection, run_id)
    engine.dispose()
    return rows


def fall_over(page: Page, player: Locator) -> int:
    """Push the cart to the right until the pole has fallen; return the steps that took."""
    page.keyboard.down("ArrowRight")
    expect(player).to_have_attribute("data-state", "over", timeout=OVER_MS)
    page.keyboard.up("ArrowRight")
    return int(player.get_attribute("data-step") or 0)


def test_an_episode_is_shown_and_kept_by_keyboard_and_taken_over_from_its_recording(
    page: Page, app: LiveApp
) -> None:
    run_id, player = open_player(page, app, "cartpole-balance")
    assert fall_over(page, player) > 0
    page.keyboard.press("x")
    expect(player).to_have_attribute("data-state", "ready", timeout=OVER_MS)
    assert stored(app, run_id) == []

    steps = fall_over(page, player)
    page.keyboard.press("Enter")
    expect(player).to_have_attribute("data-kept", "1", timeout=OVER_MS)
    (row,) = stored(app, run_id)
    assert (row["num_steps"], row["source"]) == (steps, DemonstrationSource.PERSON)

    replay = page.get_by_test_id("replay-player")
    expect(replay).to_have_attribute("data-state", "ready", timeout=READY_MS)
    replay.get_by_role("button", name="Pause").click()
    replay.get_by_role("slider", name="Frame", exact=True).fill("3")
    replay.get_by_role("button", name="Take over from here").click()
    expect(page.get_by_text("You take over from frame 4")).to_be_visible(timeout=READY_MS)
    expect(player).to_have_attribute("data-state", "ready", timeout=READY_MS)
    fall_over(page, player)
    page.keyboard.press("Enter")
    expect(player).to_have_attribute("data-kept", "1", timeout=OVER_MS)
    taken = stored(app, run_id)[-1]
    assert taken["source"] is DemonstrationSource.TAKEOVER
    assert (taken["origin_id"], taken["origin_step"]) == (row["segment_id"], 3)


def test_frames_come_while_keys_are_held_and_time_stands_still_in_a_pause(page: Page, app: LiveApp) -> None:
    _, player = open_player(page, app, "pendulum-swingup")
    page.keyboard.down("ArrowLeft")
    wait_until(lambda: int(player.get_attribute("data-step") or 0) >= 75, 60)
    fps = float(player.get_attribute("data-fps") or 0)
    page.keyboard.press("Space")
    page.keyboard.up("ArrowLeft")
    expect(player).to_have_attribute("data-state", "paused")
    assert fps >= MIN_FPS
    page.wait_for_timeout(300)  # pictures that were under way arrive
    step = player.get_attribute("data-step")
    page.wait_for_timeout(500)
    assert player.get_attribute("data-step") == step
    page.keyboard.press("Backspace")
    expect(player).to_have_attribute("data-step", "0")


def test_a_phone_shows_an_episode_by_touch(chromium: Browser, app: LiveApp) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    run_id, player = open_player(page, app, "cartpole-balance")
    player.get_by_role("button", name="Push left").tap()
    expect(player).to_have_attribute("data-state", "over", timeout=OVER_MS)
    player.get_by_role("button", name="Keep").tap()
    expect(player).to_have_attribute("data-kept", "1", timeout=OVER_MS)
    assert len(stored(app, run_id)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def test_a_body_with_too_many_joints_says_so(page: Page, app: LiveApp) -> None:
    _, player = open_player(page, app, "walker2d-run", state="closed")
    expect(player.get_by_role("status")).to_contain_text("6 joints", timeout=READY_MS)


def test_an_expert_is_asked_on_the_page_and_an_episode_left_out(page: Page, app: LiveApp) -> None:
    run_id, _ = open_player(page, app, "mountaincar-climb")
    page.get_by_role("button", name="Let a scripted expert show 5 episodes").click()
    wait_until(lambda: len(stored(app, run_id)) == 5, 60, app.describe)
    page.get_by_role("button", name="Leave it out").click(timeout=READY_MS)
    expect(page.get_by_role("button", name="Count it again")).to_be_visible(timeout=READY_MS)
    assert sum(row["voided_at"] is not None for row in stored(app, run_id)) == 1
