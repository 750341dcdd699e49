"""Label together, in a real browser: an invitation from the page to the first answer of whoever takes it."""

import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from live_app import live_app, wait_until
from playwright.sync_api import Browser, Page, expect

from rlhf.benchmarks.crowd_store import Supply, make_run
from rlhf.config import Settings
from rlhf.storage import people
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate
from rlhf.storage.schema import annotators, answers

SLOW_MS = 40_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A running app with a run whose pairs are drawn; nobody was invited yet."""
    data = tmp_path_factory.mktemp("together") / "data"
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(data)})
    engine = open_engine(settings.database_url)
    migrate(engine)
    run_id, segments = make_run(engine, Blobs(settings.blob_url))
    Supply(engine, run_id, segments, people=3, overlap=0.0, seed=0).top_up()
    with live_app(data, worker="external") as app:
        yield SimpleNamespace(engine=engine, app=app, url=app.url, run_id=run_id)
    engine.dispose()


def new_page(chromium: Browser, *, phone: bool = False) -> Page:
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    page = chromium.new_context(viewport=size, has_touch=phone).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(SLOW_MS)
    return page


@pytest.fixture(scope="module")
def admin(studio: SimpleNamespace, running_browser: Browser) -> Iterator[Page]:
    """A browser whose person made themselves the admin from the page, by keyboard."""
    page = new_page(running_browser)
    page.goto(f"{studio.url}/access")
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/access(\?run=|$)"), timeout=SLOW_MS)  # it soon names the run
    expect(page.get_by_role("button", name="Make a link")).to_be_visible(timeout=SLOW_MS)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def link(admin: Page) -> str:
    """An annotator's invitation, as the page shows it."""
    admin.get_by_role("button", name="Make a link").click()
    shown = admin.get_by_test_id("stCode")
    expect(shown).to_contain_text("/join?token=", timeout=SLOW_MS)
    return shown.inner_text().strip()


def join(chromium: Browser, link: str, name: str, *, phone: bool = False) -> Page:
    page = new_page(chromium, phone=phone)
    page.goto(link)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_test_id("pair-player")).to_have_attribute("data-state", "ready", timeout=SLOW_MS)
    return page


def answers_of(studio: SimpleNamespace, name: str) -> int:
    with reading(studio.engine) as connection:
        query = sa.select(sa.func.count()).select_from(answers.join(annotators))
        return int(connection.scalar(query.where(annotators.c.name == name)) or 0)


def person_called(studio: SimpleNamespace, name: str) -> dict[str, Any]:
    with reading(studio.engine) as connection:
        return next(dict(row) for row in people.list_people(connection, time.time()) if row["name"] == name)


def test_somebody_joins_by_a_link_and_answers_by_keyboard(
    studio: SimpleNamespace, chromium: Browser, link: str
) -> None:
    page = join(chromium, link, "Bob")
    assert "token" not in page.url
    assert not page.get_by_role("button", name="Stop").is_visible()  # the run is not theirs to stop
    page.keyboard.press("ArrowLeft")
    wait_until(lambda: answers_of(studio, "Bob") == 1, 30, studio.app.describe)


def test_somebody_joins_on_a_phone_and_answers_by_touch(
    studio: SimpleNamespace, chromium: Browser, link: str
) -> None:
    page = join(chromium, link, "Cyd", phone=True)
    page.get_by_role("button", name="Right better").tap()
    wait_until(lambda: answers_of(studio, "Cyd") == 1, 30, studio.app.describe)


def test_an_annotator_who_types_the_address_of_the_rewards_sees_none(
    studio: SimpleNamespace, chromium: Browser, link: str
) -> None:
    page = join(chromium, link, "Dan")
    page.goto(f"{studio.url}/reward_model?run={studio.run_id}")
    expect(page.get_by_role("heading", name="Reward model is not for you")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Only researchers")).to_be_visible()
    expect(page.get_by_text("Reward version")).to_have_count(0)
    page.get_by_role("link", name="Go to Label").click()
    expect(page.get_by_test_id("pair-player")).to_have_attribute("data-state", "ready", timeout=SLOW_MS)


def test_a_browser_without_a_link_is_told_what_to_do(
    studio: SimpleNamespace, chromium: Browser, link: str
) -> None:
    page = new_page(chromium)
    page.goto(f"{studio.url}/label")
    expect(page.get_by_role("heading", name="Sign in to Preference Studio")).to_be_visible()
    expect(page.get_by_text("python -m rlhf people invite --role admin")).to_be_visible()


def test_an_admin_ends_somebodys_visit_and_the_open_tab_stops(
    studio: SimpleNamespace, chromium: Browser, admin: Page, link: str
) -> None:
    page = join(chromium, link, "Eve")
    admin.goto(f"{studio.url}/access")
    sign_out = admin.locator(f".st-key-sign-out-{person_called(studio, 'Eve')['id']} button")
    sign_out.filter(visible=True).click()  # a button with a tooltip has a hidden twin for phones
    wait_until(lambda: person_called(studio, "Eve")["browsers"] == 0, 30, studio.app.describe)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("you are signed out")).to_be_visible(timeout=SLOW_MS)
    assert answers_of(studio, "Eve") == 0
    page.reload()
    expect(page.get_by_role("heading", name="Sign in to Preference Studio")).to_be_visible()
