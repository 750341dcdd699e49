"""What the players that ask about clips share: prefetch, outbox of answers, what is written around the clips.

A player is a folder with its own scripts, ``player.css`` and ``player.html``; the files here go between those
of ``rlhf.ui.playback`` and its own. It talks to the server's own routes (``GET api/queue``,
``POST api/answers``, ``GET clips/ID.mp4``) and needs no rerun of the page. Knows nothing of the database.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

FOLDER = Path(__file__).parent
_SCRIPTS = (
    "browser_storage.js",
    "outbox.js",
    "feed.js",
    "clips.js",
    "view.js",
    "sitting.js",
    "impact.js",
    "clip_player.js",
    "trail.js",
    "form_player.js",
    "mounting.js",
)


def answering_player(folder: Path, names: Sequence[str]) -> Callable[..., None]:
    """Register the player in ``folder`` with Streamlit, and return what draws it.

    Without a shadow root: the player's elements are found by tests and assistive tools as any others.

    Args:
        folder: of the player; its name is the component's.
        names: its own scripts, in order; the last one exports what ``mounting.js`` returns.

    Returns:
        A function of ``run_id``, ``key``, ``max_clip_height`` and ``prefetch``, see ``rlhf.ui.pair_player``.
    """
    shared = tuple(FOLDER / name for name in _SCRIPTS)
    component = st.components.v2.component(
        f"preference_studio_{folder.name}",
        html=joined_markup(folder, FOLDER),
        css=joined_style(folder, FOLDER / "answering.css"),
        js=joined_script(folder, (*shared, *names)),
        isolate_styles=False,
    )

    def draw(*, run_id: str, key: str, max_clip_height: int, prefetch: int) -> None:
        if max_clip_height < 1 or prefetch < 1:
            raise ValueError(
                f"max_clip_height and prefetch must be at least 1; got {max_clip_height} and {prefetch}."
            )
        data = {"run": run_id, "base": base_path(), "max_clip_height": max_clip_height, "prefetch": prefetch}
        component(key=f"{key}-{run_id}", data=data)

    return draw
