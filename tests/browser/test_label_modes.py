"""The choice between pairs, rankings and ratings on one page."""

from playwright.sync_api import Page, expect
from stub_client import PLAYERS, Studio, on_query


def test_keys_answer_at_once_after_another_mode_is_chosen(page: Page, studio: Studio) -> None:
    studio.open(page)
    page.keyboard.press("ArrowLeft")
    on_query(page.get_by_test_id(PLAYERS["pairs"]), "q1")
    studio.wait_for_choices(page, [("q0", "left")])
    page.get_by_text("Rank four", exact=True).click()
    ranking = page.get_by_test_id(PLAYERS["rank"])
    on_query(ranking, "q1+q2")
    expect(ranking).to_be_focused()
    expect(page.get_by_test_id(PLAYERS["pairs"])).to_have_count(0)
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    on_query(ranking, "q3+q4")
    page.get_by_text("Rate one", exact=True).click()
    rating = page.get_by_test_id(PLAYERS["rate"])
    expect(rating).to_have_attribute("data-state", "ready")
    expect(rating).to_be_focused()
    shown = rating.get_attribute("data-query-id")
    page.keyboard.press("5")
    expect(rating).not_to_have_attribute("data-query-id", str(shown))
    page.reload()
    expect(rating).to_have_attribute("data-state", "ready", timeout=20000)  # the address keeps the mode
