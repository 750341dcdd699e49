"""Goal, pace, breaks, what the answers changed; and the page for those who do not see or bear movement."""

from playwright.sync_api import Browser, Page, expect
from stub_client import Studio, on_query

UNNAMED = """
(player) => [...player.querySelectorAll('button, input, video, nav, [role=group], [role=progressbar]')]
  .filter((e) => !(e.getAttribute('aria-label') || e.labels?.length || e.innerText?.trim()
    || e.querySelector('span:not([aria-hidden])')?.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 120))
"""

LISTEN = """
() => {
  window.told = [];
  const region = document.querySelector('[data-part=announcer]');
  new MutationObserver(() => window.told.push(region.textContent)).observe(region, {childList: true});
}
"""


def test_goal_and_pace_of_today(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    expect(player).to_contain_text("0 of 20 answers today")
    page.get_by_role("button", name="Keys and goal").click()
    page.get_by_label("Answers I want to give in a day").fill("2")
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    expect(player).to_contain_text("1 of 2 answers today")
    expect(player).to_contain_text("s each")
    expect(page.get_by_role("progressbar", name="Answers today")).to_have_attribute("aria-valuenow", "50")
    page.keyboard.press("ArrowLeft")
    expect(player.get_by_role("alert").first).to_contain_text("your goal. Thank you!")
    on_query(player, "q2")
    page.keyboard.press("z")
    expect(player).to_contain_text("1 of 2 answers today")


def test_a_break_is_suggested_after_twenty_minutes_of_answering(page: Page, studio: Studio) -> None:
    studio.open(page)
    page.evaluate(
        "localStorage.setItem('preference-studio:today', JSON.stringify({day: new Date().toDateString(),"
        " answers: 300, active_ms: 20 * 60000 - 500, last_at: Date.now() - 1000}))"
    )
    page.keyboard.press("ArrowLeft")
    player = page.get_by_test_id("pair-player")
    expect(player.get_by_role("alert").first).to_contain_text("A short break keeps answers good.")
    on_query(player, "q1")


def test_what_the_answers_changed_is_told(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    expect(player).to_contain_text("Why this pair? The reward model is unsure about this pair.")
    expect(player).to_contain_text("Reward version 3 has learned from the answers: right on 75%")
    studio.set(page, reward_version=4, audit_accuracy=0.8)
    page.keyboard.press("ArrowLeft")
    expect(player).to_contain_text("Reward version 4 has learned from the answers: right on 80%")
    expect(player).to_contain_text("of random pairs (75% before).")
    studio.set(page, policy_version=9)
    page.keyboard.press("ArrowLeft")
    expect(player).to_contain_text("The agent has practised with it 2 times.")


def test_every_control_has_a_name_and_the_live_region_tells(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    page.keyboard.press("ArrowLeft")
    on_query(player, "q1")
    assert player.evaluate(UNNAMED) == []
    page.evaluate(LISTEN)
    page.keyboard.press("Shift+ArrowRight")
    on_query(player, "q2")
    page.wait_for_function("told.some((words) => words.startsWith('right is much better. '))")
    page.wait_for_function("told.join(' ').includes('Saved.') && told.join(' ').includes('Pair 3 is shown.')")


def test_focus_stays_where_it_is_while_pairs_are_waited_for(page: Page, studio: Studio) -> None:
    studio.set(page, supply=1)
    player = studio.open(page)
    button = page.get_by_role("button", name="Left better", exact=True)
    button.focus()
    page.evaluate(LISTEN)
    page.keyboard.press("Enter")
    expect(player).to_have_attribute("data-state", "waiting")
    expect(button).to_be_disabled()
    expect(button).to_be_focused()
    page.wait_for_function("told.includes('Rendering the next pair…')")
    studio.set(page, supply=2)
    on_query(player, "q1")
    page.keyboard.press("Enter")
    studio.wait_for_choices(page, [("q0", "left"), ("q1", "left")])


def test_focus_moves_on_when_the_answer_it_is_on_is_taken_back(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    for number in range(2):
        on_query(player, f"q{number}")
        page.keyboard.press("ArrowLeft")
    on_query(player, "q2")
    page.locator(".pp-thumb").first.focus()
    page.keyboard.press("z")
    on_query(player, "q1")
    expect(page.locator(".pp-thumb").first).to_be_focused()


def test_without_movement_each_pair_waits_for_the_space_bar(chromium: Browser, studio: Studio) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    page = context.new_page()
    player = studio.open(page)
    for number in range(2):
        on_query(player, f"q{number}")
        page.wait_for_timeout(300)
        expect(player).to_have_attribute("data-frame-left", "0")
        expect(page.get_by_role("button", name="Play both clips")).to_be_visible()
        page.keyboard.press(" ")
        expect(player).not_to_have_attribute("data-frame-left", "0")
        expect(page.get_by_role("button", name="Play both clips")).to_be_hidden()
        page.keyboard.press("ArrowLeft")
    context.close()
