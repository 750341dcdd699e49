"""The reward under an answered pair, on the page about the reward model of a large run."""

from live_app import LiveApp
from playwright.sync_api import Browser, expect

SLOW_MS = 40_000


def test_an_answered_pair_shows_the_reward_of_any_version(
    chromium: Browser, large_app: tuple[LiveApp, str]
) -> None:
    app, run_id = large_app
    size = {"width": 1280, "height": 1600}  # a list that is opened shuts again when its page scrolls
    page = chromium.new_context(viewport=size, reduced_motion="reduce").new_page()
    page.goto(f"{app.url}/reward_model?run={run_id}&view=clip")
    trace = page.get_by_test_id("reward-trace")
    expect(trace).to_have_attribute("data-state", "ready", timeout=SLOW_MS)
    expect(trace.locator(".tr-line")).to_have_count(2)
    expect(trace.get_by_role("row", name="cosine of angle").first).to_be_visible()
    expect(page.get_by_test_id("replay-player")).to_have_attribute("data-state", "ready", timeout=SLOW_MS)

    trace.get_by_role("slider").press("End")
    expect(trace).to_have_attribute("data-frame", "50")
    versions = page.get_by_role("combobox", name="Reward version")
    versions.scroll_into_view_if_needed()
    versions.press("ArrowDown")
    page.get_by_role("option", name="1", exact=True).click()
    expect(trace).to_contain_text("Reward version 1.", timeout=SLOW_MS)
    expect(trace).to_have_attribute("data-frame", "50")  # another reward of what is on the screen
