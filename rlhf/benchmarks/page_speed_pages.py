"""The pages that are timed: when each begins to show what it is for, when all in the window is there."""

import dataclasses

from rlhf.benchmarks.page_speed_acts import (
    CARD,
    CLIPS,
    FIRST_CLIP,
    MAP,
    REPLAY,
    TRACE,
    VIEWS,
    Act,
    begin_showing,
    choose_gold,
    colour,
    lasso,
    look_again,
    new_question,
    open_answer,
    open_presets,
    pick_clip,
    pick_policy,
    point_at,
    radio,
    scrub,
    select,
    trace_mode,
    turn_page,
    view,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageCase:
    """One page and what is done on it."""

    name: str
    path: str
    """Under the studio's address."""
    query: str = ""
    """Of the address, beside the run."""
    link: str | None = None
    """Its name in the navigation; None: no link leads to it, only an address or a control."""
    begins: str = ""
    """Holds once figures or words of its own are on the screen, whatever page was there before; empty: what
    ``shows`` says, as there is nothing to see until then."""
    shows: str
    """Holds once all of its content that is in the window is drawn."""
    acts: dict[str, Act] = dataclasses.field(default_factory=dict)
    is_labelled: bool = False
    """Whether it is about the run that still asks questions."""


def _player(testid: str) -> str:
    return f'seen("[data-testid={testid}][data-state=ready]") && filled()'


_CURVES = {
    "Policy": "Clip fraction",
    "Reward model": "Right on learned answers",
    "Most asked for": "Predicted return",
}
PAGES = (
    PageCase(
        name="Runs",
        path="",
        link="Runs",
        begins='seen("h1", "Runs") && seen("[data-testid=stMetric]")',
        shows='seen("h1", "Runs") && seen("[data-testid=stMetric]") && filled()',
        acts={"open the presets": open_presets},
    ),
    PageCase(
        name="Label: pairs",
        path="label",
        link="Label",
        shows=_player("pair-player"),
        acts={"answer by key": new_question("pair-player", "ArrowLeft")},
        is_labelled=True,
    ),
    PageCase(
        name="Label: rank four",
        path="label",
        query="mode=rank",
        shows=_player("ranking-player"),
        acts={"pick by key": pick_clip},
        is_labelled=True,
    ),
    PageCase(
        name="Label: rate one",
        path="label",
        query="mode=rate",
        shows=_player("rating-player"),
        acts={"rate by key": new_question("rating-player", "3")},
        is_labelled=True,
    ),
    PageCase(
        name="Demonstrate",
        path="demonstrate",
        link="Demonstrate",
        begins='seen("[data-testid=demonstration-player] button", "Start")',
        shows='seen("[data-testid=demonstration-player][data-state=ready]") && filled()',
        acts={"start and pause": begin_showing},
    ),
    PageCase(
        name="Replays",
        path="replays",
        link="Replays",
        begins='count("[data-testid=stSelectbox]") > 1',
        shows=f'seen("{REPLAY}[data-state=ready]") && count(".cs-cell") > 5 && filled()',
        acts={
            "pick a policy in the strip": pick_policy,
            "choose a policy from the list": select("Left", CLIPS, FIRST_CLIP),
            "scrub": scrub,
            "add the reward up": trace_mode,
        },
    ),
    PageCase(
        name="Training",
        path="training",
        link="Training",
        begins='seen("[data-testid=stProgress]") && seen("[role=radio]", "Policy")',
        shows='seen("p", "Predicted return") && count("[data-testid=stVegaLiteChart]") > 2 && filled()',
        acts={
            "choose curves": radio(
                list({"Most asked for": "", **_CURVES}),
                lambda name: f'seen("p", "{_CURVES[name]}") && filled()',
            )
        },
    ),
    PageCase(
        name="Fine-tune",
        path="fine_tune",
        link="Fine-tune",
        begins='seen("p", "A new run starts from") && count("[data-testid=stSelectbox]")',
        shows='count("[data-testid=stCheckbox]") > 1 && filled()',
    ),
    PageCase(
        name="Reward model: report card",
        path="reward_model",
        link="Reward model",
        begins=CARD,
        shows=f'{CARD} && count("[data-testid=stVegaLiteChart]") > 2 && filled()',
        acts={
            "another view": view,
            "at present, at the time": radio(
                ["At the time", "At present"],
                lambda name: (
                    f'seen("p", "{"would foresee" if name == "At present" else "of that time"}") && filled()'
                ),
            ),
            "compare with another version": select(
                "compared with", "filled()", 'text("[data-testid=stMain]")', first=2
            ),
        },
    ),
    PageCase(
        name="Reward model: inside a clip",
        path="reward_model",
        query="view=clip",
        shows=CLIPS,
        acts={
            "choose a pair": select("Answered pair", CLIPS, FIRST_CLIP),
            "choose a version": select("Reward version", CLIPS, f'text("{TRACE}")'),
            "scrub": scrub,
        },
    ),
    PageCase(
        name="Reward model: change its mind",
        path="reward_model",
        query="view=disputed",
        shows=VIEWS["Change its mind"],
        acts={
            "another order": radio(
                ["Disputed", "Moves it most"],
                lambda name: (
                    f'seen("p", "{"would not expect" if name == "Disputed" else "How far"}") && filled()'
                ),
            ),
            "look at an answer again": look_again,
        },
    ),
    PageCase(
        name="Map",
        path="map",
        link="Map",
        shows=f'seen("{MAP}[data-state=ready]") && filled()',
        acts={"point at a dot": point_at, "lasso": lasso, "colour by": colour},
    ),
    PageCase(
        name="Data",
        path="data",
        link="Data",
        shows='count("[class*=st-key-open-]") > 3 && filled()',
        acts={
            "turn the page": turn_page,
            "open an answer": open_answer,
        },
    ),
    PageCase(
        name="People",
        path="people",
        link="People",
        begins='seen("[data-testid=stMetric]", "Agreement")',
        shows='count("[data-testid=stDataFrame]") && count("[data-testid=stVegaLiteChart]") && filled()',
        acts={"choose gold pairs": choose_gold},
    ),
    PageCase(
        name="Access",
        path="access",
        link="Access",
        shows='seen("h1", "Access") && seen("a, button", "nvite") && filled()',
    ),
)
"""In the order of the navigation."""
