"""The saved policies of a run as a row of pictures: how behaviour changed, and which to watch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import streamlit as st

from rlhf.types.task import STRIP_MOMENTS
from rlhf.ui.playback import base_path

_FOLDER = Path(__file__).parent
_STYLES = (_FOLDER.parent / "playback" / "playback.css", _FOLDER / "strip.css")

_component = st.components.v2.component(
    "preference_studio_checkpoint_strip",
    html=(_FOLDER / "strip.html").read_text(encoding="utf-8"),
    css="\n".join(path.read_text(encoding="utf-8") for path in _STYLES),
    js=(_FOLDER / "strip.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)

Side = Literal["left", "right"]


class Checkpoint(TypedDict):
    """One saved policy."""

    version: int
    name: str
    """A word or two under its picture."""
    label: str
    """What tells it apart, said of its picture."""
    picture: str
    """Address relative to the app."""
    has_moments: bool
    """Whether the picture is a strip of ``STRIP_MOMENTS`` moments, or one of them."""
    value: float | None
    """What its bar shows."""


def checkpoint_strip(
    *,
    checkpoints: Sequence[Checkpoint],
    left: int | None,
    right: int | None,
    value_name: str,
    horizon_frames: int,
    key: str,
    on_pick: Callable[[int, Side], None],
) -> None:
    """Draw the row; the pictures follow the frame that a replay player on the page shows.

    Args:
        checkpoints: the oldest first.
        left: version that is shown on the left.
        right: version that is shown on the right, if any.
        value_name: what the bars show, in words.
        horizon_frames: frames of the longest possible episode.
        key: Streamlit key, unique on the page.
        on_pick: called with a version of ``checkpoints`` and the side that it is wanted on.
    """
    versions = {checkpoint["version"] for checkpoint in checkpoints}

    def pick() -> None:
        choice = chosen(st.session_state[key].get("pick"), versions)
        if choice is not None:
            on_pick(*choice)

    data = {
        "checkpoints": [dict(checkpoint) for checkpoint in checkpoints],
        "base": base_path(),
        "left": left,
        "right": right,
        "moments": STRIP_MOMENTS,
        "horizon_frames": horizon_frames,
        "value_name": value_name,
    }
    _component(key=key, data=data, on_pick_change=pick)


def chosen(sent: Any, versions: set[int]) -> tuple[int, Side] | None:
    """Return the choice that a browser sent, or None if it is none of these versions."""
    version, side = (sent.get("version"), sent.get("side")) if isinstance(sent, dict) else (None, None)
    if type(version) is not int or version not in versions or side not in ("left", "right"):
        return None
    return version, side
