"""The page about the reward model in a real browser: the card, and a disputed answer that is set aside."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from barcode_clips import FPS, FRAMES, barcode_clip
from live_app import live_app, wait_until
from playwright.sync_api import Browser, Page, expect

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import answers, models, queries, runs, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.reward import AnswerViews
from rlhf.ui.store import Store

Make = Callable[..., str]
FIRST_PAINT_MS = 40_000
COUNT = 30
PLANTED = 17
"""Place of the answer that the reward disputes most."""


@pytest.fixture
def run_id(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> str:
    """Thirty answers, every third to a random pair, and two reward versions that judged them."""
    run_id, person = make_run(), make_annotator()
    clips = [store.blobs.write(barcode_clip(number), "mp4") for number in range(2)]
    for index in range(COUNT):
        kind = QueryKind.AUDIT if index % 3 == 0 else QueryKind.ACTIVE
        query_id = make_query(run_id, kind=kind)
        choice = Choice.RIGHT if index in (PLANTED, 3) else Choice.LEFT
        record_answer(
            store.engine, run_id, person, Answer(key=f"answer-{index:04}", query_id=query_id, choice=choice)
        )
        if index == PLANTED:
            with writing(store.engine) as connection:
                query = queries.get_query(connection, query_id)
                for side, clip in zip((query["left_id"], query["right_id"]), clips, strict=True):
                    poster = segments.get_segment_row(connection, side)["poster"]
                    options = {"clip": clip, "poster": poster, "fps": FPS, "frames": FRAMES}
                    segments.set_clip(connection, side, ended_at_frame=None, **options)
    for version in (1, 2):
        add_version(store, run_id, version)
    return run_id


def add_version(store: Store, run_id: str, version: int) -> None:
    with reading(store.engine) as connection:
        ids = [row["id"] for row in answers.standing_answers(connection, run_id)]
    against = np.zeros(COUNT, np.float32)
    against[[PLANTED, 3]] = 3.0, 0.5
    lead = np.linspace(0.5, 2.0, COUNT, dtype=np.float32)
    lead[:3] *= (-1.0) ** version
    views = AnswerViews(
        answer=np.array(ids),
        lead=lead,
        unseen=np.full(COUNT, 0.9, np.float32),
        against=against,
        influence=np.linspace(0.01, 0.1, COUNT, dtype=np.float32),
    )
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection,
            run_id,
            version,
            arrays=store.blobs.write_arrays(dict(views.to_arrays())),
            num_answers=COUNT - 10 * (2 - version),
            steps=100 * version,
            report={
                "out_of_bag_accuracy": 0.8,
                "train_accuracy": 0.9,
                "model_class": "linear",
                "reason": "linear foresees unseen answers best",
                "tie_width": 0.4,
                "ridge": 3.0,
            },
        )
        message = "The reward model may be wrong about what people want: it foresaw 40% of the last 12."
        runs.add_event(connection, run_id, 100 * version, "warning", message)
        runs.update_run(connection, run_id, reward_version=version)


@pytest.fixture
def app(tmp_path: Path, run_id: str) -> Iterator[str]:
    with live_app(tmp_path / "data", worker="external") as app:
        yield f"{app.url}/reward_model?run={run_id}"


def shows(page: Page, text: str) -> None:
    expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=FIRST_PAINT_MS)


def test_the_card_says_how_far_the_reward_can_be_trusted(chromium: Browser, app: str) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(app)
    shows(page, "Right on random pairs")
    expect(page.get_by_text("90% (60%–98%)")).to_be_visible(timeout=FIRST_PAINT_MS)  # nine of ten
    expect(page.get_by_text("What to do:").first).to_be_visible()
    expect(page.get_by_text("Earlier alarms (1)")).to_be_visible()
    shows(page, "Who answered")
    expect(
        page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
    ).not_to_have_count(0, timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("3 (10%)")).to_be_visible(timeout=FIRST_PAINT_MS)  # changed sides
    page.get_by_role("radio", name="At present").click()
    shows(page, "Kind of pair")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_disputed_answer_is_looked_at_and_set_aside(
    chromium: Browser, store: Store, run_id: str, app: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(app)
    page.get_by_role("radio", name="Change its mind").click(timeout=FIRST_PAINT_MS)
    lines = page.get_by_role("button", name="Look again")
    expect(lines).to_have_count(2, timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("left better, 90% sure").first).to_be_visible()
    expect(page.get_by_alt_text("right clip, preferred")).to_have_count(2)
    lines.first.click()
    dialog = page.get_by_role("dialog")
    player = dialog.get_by_test_id("replay-player")
    expect(player).to_have_attribute("data-state", "ready", timeout=FIRST_PAINT_MS)
    expect(player.locator("video")).to_have_count(2)
    dialog.get_by_label("Reason").fill("a slip of the finger")
    dialog.get_by_role("button", name="Set aside", exact=True).click()

    def stand() -> int:
        with reading(store.engine) as connection:
            return sum(answers.count_standing(connection, run_id).values())

    wait_until(lambda: stand() == COUNT - 1, 30, lambda: f"{stand()} stand")
    expect(dialog).to_be_hidden(timeout=FIRST_PAINT_MS)
    expect(lines).to_have_count(1, timeout=FIRST_PAINT_MS)
    with reading(store.engine) as connection:
        left = {row["key"] for row in answers.standing_answers(connection, run_id)}
    assert f"answer-{PLANTED:04}" not in left


def test_the_list_fits_a_phone_and_its_address_can_be_shared(chromium: Browser, app: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{app}&view=disputed")
    page.get_by_text("Moves it most").tap(timeout=FIRST_PAINT_MS)
    expect(page.get_by_text("Taking it away moves the reward by").first).to_be_visible(timeout=FIRST_PAINT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
