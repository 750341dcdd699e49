"""The demonstration player: the agent's body under a person's keys, live, and what to do with the episode.

The component talks to the server by a socket of its own; see ``player.js``. Knows nothing of environments:
the demonstrator tells it which keys there are.
"""

from pathlib import Path
from typing import TypedDict

import streamlit as st

from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

_FOLDER = Path(__file__).parent

_component = st.components.v2.component(
    "preference_studio_demonstration_player",
    html=joined_markup(_FOLDER),
    css=joined_style(_FOLDER),
    js=joined_script(_FOLDER, ("line.js", "hands.js", "player.js")),
    isolate_styles=False,
)


class Takeover(TypedDict):
    """Recorded behaviour to go on from."""

    segment: str
    """Id of the clip's segment."""
    frame: int


def demonstration_player(*, run_id: str, key: str, takeover: Takeover | None = None) -> None:
    """Draw the player for a run.

    Args:
        run_id: whose demonstrations are recorded.
        key: Streamlit key, unique on the page.
        takeover: where every episode begins; None for a start of its own each.
    """
    data = {"run": run_id, "base": base_path(), "takeover": None if takeover is None else dict(takeover)}
    _component(key=key, data=data)
