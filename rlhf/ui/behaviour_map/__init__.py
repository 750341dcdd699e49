"""The map of behaviour: points on a canvas to point at and to lasso, their clips, and questions about them.

Gets the address of a map and talks to the server's own routes, so that looking around needs no rerun of the
page. Knows nothing of the database.
"""

from pathlib import Path

import streamlit as st

from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

_FOLDER = Path(__file__).parent
_SCRIPTS = ("colours.js", "cloud.js", "gestures.js", "clip_tile.js", "points.js", "chosen.js", "map.js")

_component = st.components.v2.component(
    "preference_studio_behaviour_map",
    html=joined_markup(_FOLDER),
    css=joined_style(_FOLDER),
    js=joined_script(_FOLDER, _SCRIPTS),
    isolate_styles=False,
)


def behaviour_map(*, run_id: str, map_id: str, key: str) -> None:
    """Draw a map; another ``map_id`` is shown in its place without losing the view.

    Args:
        run_id: whose behaviour it is.
        map_id: which map of the run, as ``GET api/map`` knows it.
        key: Streamlit key, unique on the page.
    """
    _component(key=f"{key}-{run_id}", data={"run": run_id, "map": map_id, "base": base_path()})
