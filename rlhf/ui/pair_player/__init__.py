"""The pair player: two clips of one clock side by side, answered by one key, the next pair at once.

One Streamlit component that owns videos, keys, prefetch and the outbox of answers. It talks to the server's
own routes (``GET api/queue``, ``POST api/answers``, ``GET clips/ID.mp4``) and needs no rerun of the page.
Knows nothing of the database; the routes are elsewhere.
"""

from pathlib import Path

import streamlit as st

from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "browser_storage.js",
    "answers.js",
    "keys.js",
    "outbox.js",
    "feed.js",
    "clips.js",
    "view.js",
    "history.js",
    "reasons.js",
    "sitting.js",
    "impact.js",
    "help.js",
    "gestures.js",
    "player.js",
    "controls.js",
)

# Without a shadow root: the player's elements are found by tests and assistive tools as any others.
_component = st.components.v2.component(
    "preference_studio_pair_player",
    html=joined_markup(_FOLDER),
    css=joined_style(_FOLDER),
    js=joined_script(_FOLDER, _SCRIPTS),
    isolate_styles=False,
)


def pair_player(*, run_id: str, key: str, max_clip_height: int = 420, prefetch: int = 4) -> None:
    """Draw the player for the pairs of one run.

    Reruns of the page neither interrupt it nor redraw it, as long as ``run_id`` and ``key`` stay the same.

    Args:
        run_id: the run whose queue is shown.
        key: Streamlit key, unique on the page.
        max_clip_height: height a clip has at most, in CSS pixels; it is less on a small window.
        prefetch: how many pairs beyond the one on screen are kept decoded.

    Raises:
        ValueError: ``max_clip_height`` or ``prefetch`` is below 1.
    """
    if max_clip_height < 1 or prefetch < 1:
        raise ValueError(
            f"max_clip_height and prefetch must be at least 1; got {max_clip_height} and {prefetch}."
        )
    data = {"run": run_id, "base": base_path(), "max_clip_height": max_clip_height, "prefetch": prefetch}
    _component(key=f"{key}-{run_id}", data=data)
