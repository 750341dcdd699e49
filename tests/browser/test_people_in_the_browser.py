"""A researcher pauses somebody: the real page, and what the person's player then says."""

from collections.abc import Callable
from pathlib import Path

from live_app import live_app
from playwright.sync_api import Browser, Page, expect
from stub_client import Studio, on_query

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]
COOKIE = "preference_studio_annotator"
IS_WAITING_OR_SHOWS = """
(id) => {
  const { state, queryId } = document.querySelector("[data-testid=pair-player]").dataset;
  return state === "waiting" || (state === "ready" && queryId === id);
}
"""


def test_a_pause_reaches_the_person_and_is_taken_back_by_a_click(
    chromium: Browser,
    store: Store,
    tmp_path: Path,
    make_run: Make,
    make_query: Make,
    make_annotator: Make,
) -> None:
    run_id, person = make_run(), make_annotator()
    for index in range(4):
        answer = Answer(key=f"answer-{index:04}", query_id=make_query(run_id), choice=Choice.LEFT)
        record_answer(store.engine, run_id, person, answer)
    with live_app(tmp_path / "data", "external") as app:
        researcher = chromium.new_page()
        researcher.goto(f"{app.url}/people?run={run_id}")
        researcher.get_by_role("textbox", name="Reason").fill("on holiday")
        researcher.get_by_role("button", name="Pause").click()
        expect(researcher.get_by_role("button", name="Resume")).to_be_visible(timeout=30_000)
        expect(researcher.get_by_text("pauses Annotator — on holiday")).to_be_visible()

        theirs = chromium.new_context()
        theirs.add_cookies([{"name": COOKIE, "value": person, "url": app.url}])
        page = theirs.new_page()
        page.goto(f"{app.url}/label?run={run_id}")
        player = page.get_by_test_id("pair-player")
        expect(player).to_contain_text("The researcher has paused your part in this run.", timeout=30_000)

        undo = researcher.get_by_role("button", name="Take back 1")
        undo.focus()
        researcher.keyboard.press("Enter")
        expect(researcher.get_by_role("button", name="Pause")).to_be_visible(timeout=30_000)
        expect(player).not_to_contain_text("has paused your part", timeout=30_000)
        theirs.close()
        researcher.close()


def test_who_is_paused_while_answering_is_shown_nothing_more(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    on_query(player, "q0")
    studio.set(page, notice="The researcher has paused your part in this run.")
    page.keyboard.press("ArrowLeft")  # the reply tells of the pause
    for number in range(1, 7):
        page.wait_for_function(IS_WAITING_OR_SHOWS, arg=f"q{number}")
        if player.get_attribute("data-state") == "waiting":
            break
        page.keyboard.press("ArrowLeft")
    expect(player).to_have_attribute("data-state", "waiting")
    expect(player).to_contain_text("has paused your part in this run.")


def test_consistency_is_told_in_figures_of_many_pairs(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    expect(player).not_to_contain_text("Some pairs come twice")
    studio.set(page, consistency=[9, 10])
    page.keyboard.press("ArrowLeft")
    expect(player).to_contain_text("Some pairs come twice: you answered 9 of 10 the same way.")
