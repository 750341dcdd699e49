"""The ways of answering that the label page offers: two clips compared, four put in order, one rated."""

import dataclasses
from typing import Protocol

import streamlit as st

from rlhf.ui.pair_player import pair_player
from rlhf.ui.ranking_player import ranking_player
from rlhf.ui.rating_player import rating_player


class _Player(Protocol):
    def __call__(self, *, run_id: str, key: str) -> None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelMode:
    """One way of answering."""

    name: str
    question: str
    player: _Player


MODES = {
    "pairs": LabelMode(name="Pairs", question="Which clip does it better?", player=pair_player),
    "rank": LabelMode(
        name="Rank four", question="Which does it best, which next best?", player=ranking_player
    ),
    "rate": LabelMode(name="Rate one", question="How well does it do it?", player=rating_player),
}
"""By the word in the page's address, ``?mode=``."""
_PARAMETER = "mode"


def chosen_mode() -> LabelMode:
    """Draw the choice of a mode and return the chosen one; the address keeps it, for links and reloads."""
    asked = st.query_params.get(_PARAMETER)
    chosen = st.segmented_control(
        "How to answer",
        list(MODES),
        required=True,
        default=asked if asked in MODES else next(iter(MODES)),
        format_func=lambda word: MODES[word].name,
        label_visibility="collapsed",
        key="label_mode",
        persist_state="session",
    )
    if chosen != (asked or next(iter(MODES))):
        st.query_params[_PARAMETER] = chosen
    return MODES[chosen]
