"""What people do most on the pages that are timed, each by mouse or keyboard as they would."""

import json
from collections.abc import Callable
from typing import Any

from rlhf.benchmarks.page_speed_probe import arm, ask, since_event

Act = Callable[[Any, int], float]
"""Do something for the n-th time on a page; return the milliseconds until its outcome was painted."""

REPLAY = "[data-testid=replay-player]"
TRACE = "[data-testid=reward-trace]"
MAP = "[data-testid=behaviour-map]"
CHART = "[data-testid=stVegaLiteChart]"
CLIPS = f'there("{REPLAY}[data-state=ready]") && there("{TRACE}[data-state=ready]") && filled()'
FIRST_CLIP = f'value("{REPLAY} video", "src")'
CARD = 'seen("[data-testid=stMetric]", "Right on random pairs")'
VIEWS = {
    "Inside a clip": CLIPS,
    "Change its mind": 'seen("button", "Look again") && filled()',
    "Report card": CARD,
}


def _click(page: Any, target: Any, test: str, event: str = "pointerdown") -> float:
    target.wait_for()
    target.scroll_into_view_if_needed()
    arm(page, event, test)
    target.click()
    return since_event(page)[0]


def _press(page: Any, key: str, test: str) -> float:
    arm(page, "keydown", test)
    page.keyboard.press(key)
    return since_event(page)[0]


def radio(names: list[str], test: Callable[[str], str]) -> Act:
    """Choose the names in turn, beginning with the second: the first is chosen when the page opens."""

    def act(page: Any, turn: int) -> float:
        name = names[(turn + 1) % len(names)]
        return _click(page, page.get_by_role("radio", name=name), test(name))

    return act


def select(label: str, outcome: str, changed: str, first: int = 1) -> Act:
    """Choose the options of a select box in turn, and wait for a change and its outcome."""

    def act(page: Any, turn: int) -> float:
        box = page.get_by_role("combobox", name=label).first
        box.scroll_into_view_if_needed()
        box.click()
        options = page.get_by_role("option")
        options.first.wait_for()
        before = json.dumps(ask(page, changed))
        return _click(
            page, options.nth((turn + first) % options.count()), f"{changed} !== {before} && {outcome}"
        )

    return act


def new_question(testid: str, key: str) -> Act:
    """Answer by a key and wait for the next question."""
    player = f"[data-testid={testid}]"

    def act(page: Any, turn: int) -> float:
        page.locator(f"{player}[data-state=ready]").wait_for()
        page.locator(player).focus()
        shown = ask(page, f'value("{player}", "data-query-id")')
        return _press(
            page,
            key,
            f'seen("{player}[data-state=ready]") && value("{player}", "data-query-id") !== "{shown}"',
        )

    return act


def pick_clip(page: Any, turn: int) -> float:
    """Pick the next clip of a ranking by its number."""
    key = str(turn % 4 + 1)
    player = "[data-testid=ranking-player]"
    page.locator(player).focus()
    picks = str(ask(page, f'value("{player}", "data-picks")'))
    if len(picks) == 4:
        page.keyboard.press("z")
        page.keyboard.press("Backspace")
    return _press(page, key, f'value("{player}", "data-picks") !== "{picks}"')


def pick_policy(page: Any, turn: int) -> float:
    """Click a picture in the strip and wait for that policy's clip."""
    cells = page.locator(".cs-cell")
    cell = cells.nth((3 * turn + 1) % cells.count())
    label = cell.get_attribute("title").rpartition(", ")[0]
    shown = json.dumps(f"video[aria-label='{label}']")
    return _click(page, cell, f'count({shown}) > 0 && there("{REPLAY}[data-state=ready]") && filled()')


def scrub(page: Any, turn: int) -> float:
    """Press somewhere on the scrub bar and wait for another frame."""
    pause = page.get_by_role("button", name="Pause", exact=True)
    if pause.count():
        pause.click()
    slider = page.locator(f"{REPLAY} input[type=range]").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    shown = ask(page, f'value("{REPLAY}", "data-frame-left")')
    place = 0.1 + 0.8 * ((7 * turn) % 10) / 10
    arm(page, "pointerdown", f'value("{REPLAY}", "data-frame-left") !== "{shown}"')
    page.mouse.click(box["x"] + place * box["width"], box["y"] + box["height"] / 2)
    return since_event(page)[0]


def trace_mode(page: Any, turn: int) -> float:
    """Change between the reward of each step and its sum."""
    name = ("Added up", "Each step")[turn % 2]
    button = page.get_by_role("button", name=name)
    return _click(page, button, f'seen("{TRACE} button[aria-pressed=true]", "{name}")')


def point_at(page: Any, turn: int) -> float:
    """Go to a dot by keyboard to learn where it is, leave it, and point at it."""
    canvas = page.locator(f"{MAP} canvas")
    canvas.scroll_into_view_if_needed()
    page.mouse.move(5, 5)
    page.wait_for_timeout(100)  # the map takes notice with its next frame
    canvas.focus()
    for _ in range(3):
        page.keyboard.press(("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown")[turn % 4])
    page.locator(f"{MAP} .bm-ring:not([hidden])").wait_for()
    box = page.locator(f"{MAP} .bm-ring").bounding_box()
    page.keyboard.press("Escape")
    page.locator(f"{MAP} .bm-card").wait_for(state="hidden")
    arm(page, "pointermove", f'seen("{MAP} .bm-card ")')
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return since_event(page)[0]


def lasso(page: Any, turn: int) -> float:
    """Draw a line around many dots and wait until they are chosen."""
    canvas = page.locator(f"{MAP} canvas")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    for _ in range(2):  # leaves the dot pointed at, then those chosen
        page.keyboard.press("Escape")
    page.locator(f"{MAP}:is([data-chosen='0'], :not([data-chosen]))").wait_for()
    box = canvas.bounding_box()
    low, high = 0.02 + 0.02 * turn, 0.98 - 0.02 * turn
    corners = [(low, 0.1), (high, 0.1), (high, 0.9), (low, 0.9)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    arm(page, "pointerup", f'+value("{MAP}", "data-chosen") > 0')
    page.mouse.up()
    return since_event(page)[0]


def colour(page: Any, turn: int) -> float:
    """Colour the dots by something else."""
    name = ("Disagreement", "Policy version", "Answers", "Reward")[turn % 4]
    button = page.locator(MAP).get_by_role("button", name=name, exact=True)
    return _click(page, button, f'value("{MAP}", "data-colouring") === "{name}"')


def turn_page(page: Any, turn: int) -> float:
    """Go to the older answers and back."""
    first = "[class*=st-key-open-]"
    shown = ask(page, f'document.querySelector("{first}").className')
    button = page.get_by_role("button", name=("Older", "Newer")[turn % 2])
    changed = f'document.querySelector("{first}")?.className !== {json.dumps(shown)}'
    return _click(page, button, f'{changed} && filled() && count("{first}") > 3')


def open_answer(page: Any, turn: int) -> float:
    """Open an answer of the list and close it again."""
    took = _click(
        page,
        page.locator("[class*=st-key-open-] button").nth(turn % 10),
        'seen("[role=dialog] button", "Set aside")',
    )
    _close_dialog(page)
    return took


def look_again(page: Any, turn: int) -> float:
    """Open a disputed answer and close it again."""
    button = page.get_by_role("button", name="Look again").nth(turn % 10)
    took = _click(page, button, 'seen("[role=dialog] button", "Set aside")')
    _close_dialog(page)
    return took


def _close_dialog(page: Any) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def open_presets(page: Any, turn: int) -> float:
    """Open and close the list of what could be taught."""
    summary = page.locator("summary", has_text="Start another run")
    test = 'there("[class*=st-key-start-preset-]")'
    return _click(page, summary, test if turn % 2 == 0 else f"!{test}")


def choose_gold(page: Any, turn: int) -> float:
    """Switch the choice of gold pairs on and off."""
    toggle = page.locator("label", has_text="Choose gold pairs")
    outcome = 'seen("label", "Pair")'
    return _click(page, toggle, outcome if turn % 2 == 0 else f"!{outcome} && filled()")


def begin_showing(page: Any, turn: int) -> float:
    """Let the simulator run and pause it."""
    player = "[data-testid=demonstration-player]"
    page.locator(f"{player}:is([data-state=ready], [data-state=paused], [data-state=running])").wait_for()
    is_running = ask(page, f'value("{player}", "data-state")') == "running"
    button = page.locator(f"{player} [data-do=toggle]")
    return _click(
        page, button, f'value("{player}", "data-state") === "{"paused" if is_running else "running"}"'
    )


def view(page: Any, turn: int) -> float:
    """Go to the next view of the Reward model page."""
    name = list(VIEWS)[turn % len(VIEWS)]
    return _click(page, page.get_by_role("radio", name=name), VIEWS[name])
