"""The replay player: one or two recorded clips on one clock, with play, speed, scrub bar and frame steps.

Shares clock and transport bar with the pair player. Knows nothing of runs or checkpoints; it gets addresses.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import streamlit as st

from rlhf.ui import reward_trace
from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

_FOLDER = Path(__file__).parent

_component = st.components.v2.component(
    "preference_studio_replay_player",
    html=joined_markup(_FOLDER),
    css=joined_style(_FOLDER, reward_trace.STYLE),
    js=joined_script(_FOLDER, (*reward_trace.SCRIPTS, "player.js")),
    isolate_styles=False,
)


class ReplayClip(TypedDict):
    """One clip to show."""

    url: str
    """Address relative to the app, such as ``clips/ID.mp4``."""
    label: str
    """What is written under the clip, and its accessible name."""
    fps: float
    """Frames per second of the file."""
    frames: int
    """Number of frames of the file."""
    poster: NotRequired[str | None]
    """Address of a still picture shown while the clip loads."""
    takeover: NotRequired[str]
    """Address of the page that goes on from a frame of this clip, to which ``&frame=N`` is added."""


def replay_player(
    *, clips: Sequence[ReplayClip], key: str, max_clip_height: int = 480, trace: str | None = None
) -> None:
    """Draw the player for one or two clips; two play, pause and seek together.

    Args:
        clips: one or two clips.
        key: Streamlit key, unique on the page.
        max_clip_height: height a clip has at most, in CSS pixels.
        trace: address of the reward to draw under the clips, from ``trace_address``.

    Raises:
        ValueError: there are no clips or more than two, or one without frames or frame rate.
    """
    if not 1 <= len(clips) <= 2:
        raise ValueError(f"the replay player shows one or two clips; got {len(clips)}.")
    for clip in clips:
        if clip["fps"] <= 0 or clip["frames"] < 1:
            raise ValueError(
                f"clip {clip['label']!r} needs fps > 0 and at least one frame; "
                f"got fps={clip['fps']} and frames={clip['frames']}."
            )
    data = {
        "clips": [dict(clip) for clip in clips],
        "base": base_path(),
        "max_clip_height": max_clip_height,
        "trace": trace,
    }
    _component(key=key, data=data)
