"""The strip of the latest answers: seeing a pair again, answering again, taking back."""

from playwright.sync_api import BrowserContext, Page, expect
from stub_client import READ_PAIR, Studio, on_query, wait_until


def _answer(page: Page, studio: Studio, count: int) -> None:
    player = studio.open(page)
    for number in range(count):
        on_query(player, f"q{number}")
        page.keyboard.press("ArrowLeft")
    on_query(player, f"q{count}")
    expect(page.locator(".pp-thumb")).to_have_count(count)  # drawn after the pair


def _shown(page: Page, first_clip: int) -> None:
    wait_until(
        lambda: [side and side["clip"] for side in page.evaluate(READ_PAIR)] == [first_clip, first_clip + 1],
        lambda: f"shown {page.evaluate(READ_PAIR)}",
    )


def test_strip_shows_the_latest_answers_newest_first(page: Page, studio: Studio) -> None:
    player = studio.open(page)
    for number, key in enumerate(("ArrowLeft", "Shift+ArrowRight", "ArrowDown", "b", "s")):
        on_query(player, f"q{number}")
        page.keyboard.press(key)
    on_query(player, "q5")
    assert page.locator(".pp-thumb b").all_text_contents() == ["?", "×", "=", "»", "‹"]
    assert page.locator(".pp-thumb").first.get_attribute("aria-label") == (
        "Answer before this: could not tell. See the pair again"
    )


def test_answering_an_earlier_pair_again_leaves_the_pairs_to_come_as_they_are(
    page: Page, studio: Studio
) -> None:
    _answer(page, studio, 4)
    expect(page.locator(".pp-pair:not(.pp-shown)")).to_have_count(6)  # four to come, two just answered
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.rsplit("/")[-1]))
    page.get_by_role("button", name="Answer 4 back").click()
    player = page.get_by_test_id("pair-player")
    on_query(player, "q0")
    _shown(page, 0)
    expect(page.get_by_role("button", name="Left better", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Shift+ArrowRight")
    on_query(player, "q4")
    _shown(page, 8)
    assert {"10.mp4", "11.mp4", "8.mp4", "9.mp4"}.isdisjoint(loaded)
    wait_until(lambda: len(studio.stored(page)) == 5, lambda: f"stored {studio.stored(page)}")
    again = studio.stored(page)[-1]
    assert (again["query_id"], again["choice"], again["strength"]) == ("q0", "right", 2)
    assert page.locator(".pp-thumb b").all_text_contents() == ["»", "‹", "‹", "‹"]


def test_looking_back_by_keyboard_and_returning_changes_nothing(page: Page, studio: Studio) -> None:
    _answer(page, studio, 3)
    player = page.get_by_test_id("pair-player")
    for number in (2, 1, 0):
        page.keyboard.press("h")
        on_query(player, f"q{number}")
        expect(player).to_contain_text("You said: left is better. Answer again to change it.")
    page.keyboard.press("Escape")
    on_query(player, "q3")
    _shown(page, 6)
    page.keyboard.press("h")
    on_query(player, "q2")
    page.get_by_role("button", name="To the new pair").click()
    on_query(player, "q3")
    studio.wait_for_choices(page, [(f"q{number}", "left") for number in range(3)])


def test_a_visited_answer_can_be_taken_back_and_is_asked_again(page: Page, studio: Studio) -> None:
    _answer(page, studio, 3)
    player = page.get_by_test_id("pair-player")
    page.keyboard.press("h")
    on_query(player, "q2")
    page.keyboard.press("h")
    on_query(player, "q1")
    page.keyboard.press("z")
    expect(page.locator(".pp-thumb")).to_have_count(2)
    on_query(player, "q1")
    expect(page.get_by_role("button", name="To the new pair")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    on_query(player, "q3")
    studio.wait_for_choices(
        page, [("q0", "left"), ("q1", "left"), ("q2", "left"), ("q1", "undo"), ("q1", "right")]
    )


def test_no_key_answers_the_wrong_pair_while_an_earlier_one_is_fetched(page: Page, studio: Studio) -> None:
    _answer(page, studio, 4)
    page.route("**/clips/0.mp4", lambda route: (page.wait_for_timeout(300), route.continue_())[-1])
    page.evaluate(
        "() => { document.querySelectorAll('.pp-thumb')[3].click();"
        " document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true})); }"
    )
    on_query(page.get_by_test_id("pair-player"), "q0")
    assert len(studio.stored(page)) == 4


def test_a_pair_that_is_gone_leaves_everything_as_it_was(page: Page, studio: Studio) -> None:
    _answer(page, studio, 4)
    page.route("**/clips/0.mp4", lambda route: route.fulfill(status=404))
    page.get_by_role("button", name="Answer 4 back").click()
    player = page.get_by_test_id("pair-player")
    expect(player.get_by_role("alert").first).to_contain_text("That pair cannot be shown now.")
    page.keyboard.press("ArrowLeft")
    on_query(player, "q5")
    studio.wait_for_choices(page, [(f"q{number}", "left") for number in range(5)])


def test_a_new_tab_knows_the_answers_from_the_server(
    context: BrowserContext, page: Page, studio: Studio
) -> None:
    _answer(page, studio, 2)
    studio.wait_for_choices(page, [("q0", "left"), ("q1", "left")])
    other = context.new_page()
    player = studio.open(other)
    on_query(player, "q2")
    expect(other.locator(".pp-thumb")).to_have_count(2)
    other.keyboard.press("h")
    on_query(player, "q1")
    other.keyboard.press("ArrowDown")
    on_query(player, "q2")
    other.keyboard.press("z")
    on_query(player, "q1")
    expect(other.locator(".pp-thumb")).to_have_count(1)
