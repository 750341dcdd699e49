"""The replay player: one or two recorded clips on one clock, with play, speed, scrub bar and frame steps.

Shares clock and transport bar with the pair player. Knows nothing of runs or checkpoints; it gets addresses.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import streamlit as st

from rlhf.loop.ask_about import Moment
from rlhf.ui import reward_trace
from rlhf.ui.playback import base_path, joined_markup, joined_script, joined_style

_FOLDER = Path(__file__).parent
_ID = re.compile(r"[0-9a-f]{32}")
_MAX_FRAME = 10**6

_component = st.components.v2.component(
    "preference_studio_replay_player",
    html=joined_markup(_FOLDER),
    css=joined_style(_FOLDER, reward_trace.STYLE),
    js=joined_script(_FOLDER, (*reward_trace.SCRIPTS, "moments.js", "sharing.js", "player.js")),
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
    note: NotRequired[str]
    """Written under the label."""
    poster: NotRequired[str | None]
    """Address of a still picture shown while the clip loads."""
    takeover: NotRequired[str]
    """Address of the page that goes on from a frame of this clip, to which ``&frame=N`` is added."""
    segment: NotRequired[str]
    """Id of the recording, by which moments of it are named."""


def replay_player(
    *,
    clips: Sequence[ReplayClip],
    key: str,
    max_clip_height: int = 480,
    start_frame: int | None = None,
    share: Mapping[str, str] | None = None,
    reply: str = "",
    trace: str | None = None,
) -> tuple[Moment, Moment] | None:
    """Draw the player for one or two clips; two play, pause and seek together.

    Args:
        clips: one or two clips.
        key: Streamlit key, unique on the page.
        max_clip_height: height a clip has at most, in CSS pixels.
        start_frame: show this frame, paused, instead of playing from the first.
        share: what the page's address says to show these clips; with it people can copy a link to a frame and
            pick moments to ask about, of clips with a ``segment``.
        reply: what became of the moments picked last, ``<number>:<text>``; shown when it changes.
        trace: address of the reward to draw under the clips, from ``trace_address``.

    Returns:
        Two moments that somebody wants to have compared, once; nothing says that there are such recordings.

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
        "start_frame": start_frame,
        "share": None if share is None else dict(share),
        "reply": reply,
        "trace": trace,
    }
    result = _component(key=key, data=data, on_moments_change=lambda: None)
    return picked(result.moments)


def picked(sent: Any) -> tuple[Moment, Moment] | None:
    """Return the two moments that a browser sent, or None if it sent none or something else."""
    if not isinstance(sent, list) or len(sent) != 2:
        return None
    moments = [_moment(one) for one in sent]
    return None if moments[0] is None or moments[1] is None else (moments[0], moments[1])


def _moment(sent: Any) -> Moment | None:
    segment, frame = (sent.get("segment"), sent.get("frame")) if isinstance(sent, dict) else (None, None)
    if not isinstance(segment, str) or not _ID.fullmatch(segment):
        return None
    if not isinstance(frame, int) or isinstance(frame, bool) or not 0 <= frame <= _MAX_FRAME:
        return None
    return Moment(segment_id=segment, frame=frame)
