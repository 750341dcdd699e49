"""A person at the keyboard, from an empty store to a policy that learns: real app, browser and workers."""

from pathlib import Path

import sqlalchemy as sa
from live_app import LiveApp, live_app, wait_until
from playwright.sync_api import Browser, Page, expect

from rlhf.storage.engine import open_engine, reading
from rlhf.storage.schema import answers, queries
from rlhf.types.feedback import Choice

KEYS = [
    ("ArrowLeft", Choice.LEFT),
    ("ArrowRight", Choice.RIGHT),
    ("ArrowRight", Choice.RIGHT),
    ("ArrowDown", Choice.EQUAL),
    ("ArrowLeft", Choice.LEFT),
    ("s", Choice.SKIP),
    ("ArrowRight", Choice.RIGHT),
    ("ArrowLeft", Choice.LEFT),
    ("ArrowLeft", Choice.LEFT),
    ("ArrowRight", Choice.RIGHT),
    ("ArrowDown", Choice.EQUAL),
    ("ArrowLeft", Choice.LEFT),
]


def ready_query(page: Page, other_than: str | None = None) -> str:
    """Wait for a pair on the screen and return the query's id."""
    player = page.get_by_test_id("pair-player")
    expect(player).to_have_attribute("data-state", "ready", timeout=40_000)
    if other_than is not None:
        expect(player).not_to_have_attribute("data-query-id", other_than, timeout=20_000)
    return player.get_attribute("data-query-id") or ""


def test_a_person_starts_a_run_answers_by_keyboard_and_the_agent_learns(
    chromium: Browser, tmp_path: Path
) -> None:
    with live_app(tmp_path / "data") as app:
        page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(app.url)
        page.get_by_role("button", name="Start Swing the pendulum up and hold it").click()
        ready_query(page)
        run_id = app.cli("run", "list")["runs"][0]["run"]

        given: list[tuple[str, Choice]] = []
        shown = None
        for key, choice in KEYS:
            shown = ready_query(page, shown)
            page.keyboard.press(key)
            given.append((shown, choice))
        page.keyboard.press("z")
        undone = ready_query(page, None)
        wait_until(lambda: page.get_by_test_id("pair-player").get_attribute("data-query-id") == shown, 10)
        undone, _ = given.pop()
        page.keyboard.press("ArrowRight")
        given.append((undone, Choice.RIGHT))
        wait_until(
            lambda: page.get_by_test_id("pair-player").get_attribute("data-pending") in ("0", None), 10
        )
        page.reload()
        ready_query(page)

        standing, undos = stored_answers(app)
        assert standing == given
        assert undos == 1
        version = wait_until(lambda: app.cli("run", "show", run_id)["reward_version"], 60, app.describe)
        assert version >= 1
        before = app.cli("run", "show", run_id)["steps"]
        wait_until(lambda: app.cli("run", "show", run_id)["steps"] > before + 10_000, 60, app.describe)


def stored_answers(app: LiveApp) -> tuple[list[tuple[str, Choice]], int]:
    """Return (query, choice) of the answers that stand, by time, and the number of undos."""
    engine = open_engine(f"sqlite:///{app.data_dir / 'rlhf.db'}")
    with reading(engine) as connection:
        rows = connection.execute(sa.select(answers).order_by(answers.c.id)).mappings().all()
        sides = {q.id: (q.left_id, q.right_id) for q in connection.execute(sa.select(queries))}
    engine.dispose()
    superseded = {row["supersedes"] for row in rows}
    assert all((row["left_id"], row["right_id"]) == sides[row["query_id"]] for row in rows)
    standing = [
        (row["query_id"], row["choice"])
        for row in rows
        if row["id"] not in superseded and row["choice"] is not Choice.UNDO
    ]
    return standing, sum(row["choice"] is Choice.UNDO for row in rows)
