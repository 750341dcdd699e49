"""The Replays page of a large run."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from live_app import LiveApp, wait_until
from playwright.sync_api import Browser, Locator, Page, expect

from rlhf.storage import demonstrations, models, schema, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading
from rlhf.types.experience import Segment
from rlhf.types.feedback import QueryKind

PATIENCE_MS = 60_000
"""The machine may be busy."""


@pytest.fixture
def replays(chromium: Browser, large_app: tuple[LiveApp, str]) -> Iterator[Page]:
    """The page as it opens by itself."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    app, run_id = large_app
    page.goto(f"{app.url}/replays?run={run_id}")
    expect(player(page)).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
    yield page
    assert errors == []


@pytest.fixture
def engine(large_app: tuple[LiveApp, str]) -> Iterator[sa.Engine]:
    engine = open_engine(f"sqlite:///{large_app[0].data_dir / 'rlhf.db'}")
    yield engine
    engine.dispose()


def player(page: Page) -> Locator:
    return page.get_by_test_id("replay-player")


def cells(page: Page) -> Locator:
    return page.locator(".cs-cell")


def labels(page: Page) -> list[str]:
    return [clip.get_attribute("aria-label") or "" for clip in page.locator(".rp-clip video").all()]


def stored_segments(page: Page) -> list[str]:
    """Ids of the recordings on the screen, once every video has been told its source."""
    expect(page.locator(".rp-clip video:not([src*='clips/'])")).to_have_count(0)
    sources = page.locator(".rp-clip video").evaluate_all("videos => videos.map((video) => video.src)")
    return [re.findall(r"clips/([0-9a-f]{32})\.mp4", source)[0] for source in sources]


def load(connection: sa.Connection, app: LiveApp, segment_id: str) -> Segment:
    return segments.load_segment(connection, Blobs(str(app.data_dir / "blobs")), segment_id)


def test_pictures_of_all_policies_show_the_moment_that_the_clips_show(
    replays: Page, large_app: tuple[LiveApp, str], engine: sa.Engine
) -> None:
    with reading(engine) as connection:
        expect(cells(replays)).to_have_count(models.count_policy_versions(connection, large_app[1]))
    replays.get_by_role("button", name="Pause").click()
    strip, slider = (
        replays.get_by_test_id("checkpoint-strip"),
        replays.get_by_role("slider", name="Frame", exact=True),
    )
    last = slider.get_attribute("max") or ""
    for frame, moment in (("0", "0"), (last, "7")):
        slider.fill(frame)
        expect(strip).to_have_css("--cs-moment", moment)


def test_a_click_on_a_picture_shows_that_policy_on_the_chosen_side(replays: Page) -> None:
    strip = replays.get_by_test_id("checkpoint-strip")
    cells(replays).nth(20).click()
    expect(cells(replays).nth(20)).to_contain_text("Right")
    strip.get_by_role("button", name="Left", exact=True).click()
    cells(replays).nth(11).focus()
    replays.keyboard.press("ArrowLeft")
    replays.keyboard.press("Enter")
    expect(cells(replays).nth(10)).to_contain_text("Left")
    expect(player(replays)).to_have_attribute("data-state", "ready")
    titles = [cells(replays).nth(index).get_attribute("title") or "" for index in (10, 20)]
    assert [title.startswith(label) for title, label in zip(titles, labels(replays), strict=True)] == [
        True
    ] * 2


def test_an_address_names_policies_and_frame(replays: Page) -> None:
    cells(replays).nth(15).click()
    expect(cells(replays).nth(15)).to_contain_text("Right")
    expect(replays).to_have_url(re.compile("right="))
    shown = stored_segments(replays)
    replays.goto(f"{replays.url}&frame=77")
    expect(player(replays)).to_have_attribute("data-frame-left", "77")
    expect(player(replays)).to_have_attribute("data-frame-right", "77")
    expect(replays.get_by_role("button", name="Play", exact=True)).to_be_visible()
    assert stored_segments(replays) == shown
    cells(replays).nth(16).click()
    expect(replays).not_to_have_url(re.compile("frame="))


def test_what_the_clips_show_becomes_the_next_question(replays: Page, engine: sa.Engine) -> None:
    replays.get_by_role("button", name="Pause").click()
    replays.get_by_role("slider", name="Frame", exact=True).fill("90")
    replays.get_by_role("button", name="Ask about this moment").click()
    expect(player(replays).locator("[data-part=said]")).to_contain_text("next question")
    with reading(engine) as connection:
        picked = sa.select(schema.queries.c.id).where(schema.queries.c.kind == QueryKind.PICKED)
        asked = connection.scalars(picked).one()
    replays.get_by_role("link", name="Answer it yourself").click()
    pair = replays.get_by_test_id("pair-player")
    expect(pair).to_have_attribute("data-query-id", asked, timeout=PATIENCE_MS)


def test_a_demonstration_is_compared_from_the_same_start(
    replays: Page, large_app: tuple[LiveApp, str], engine: sa.Engine
) -> None:
    app, run_id = large_app
    app.cli("demonstrate", "--run", run_id, "--expert", "--episodes", "1")

    def is_drawn() -> bool:
        with reading(engine) as connection:
            return demonstrations.list_demonstrations(connection, run_id)[0]["clip"] is not None

    wait_until(is_drawn, PATIENCE_MS / 1000)
    label = "Demonstration 1 · scripted expert"
    replays.reload()
    replays.get_by_role("combobox", name="Right").click()
    replays.get_by_role("option", name=label).click()
    expect(replays.locator(".rp-clip video").last).to_have_attribute("aria-label", label)

    def is_same_start() -> bool:
        shown = stored_segments(replays)
        with reading(engine) as connection:
            seeds = {load(connection, app, one).replay.reset_seed for one in shown}
        return len(shown) == 2 and len(seeds) == 1

    wait_until(is_same_start, PATIENCE_MS / 1000, lambda: f"shown are {stored_segments(replays)}")
