"""The replay player with one clip, two or a long one, what it asked, and a reward if the address asks."""

import streamlit as st

from rlhf.ui.replay_player import ReplayClip, replay_player


def clip(name: str, number: int, frames: int) -> ReplayClip:
    return {
        "url": f"clips/{name}.mp4",
        "label": f"Version {number}",
        "note": "true return 5",
        "fps": 30.0,
        "frames": frames,
        "poster": None,
        "segment": f"{number:032x}",
    }


if "long" in st.query_params:
    clips = [clip("long", 2, 1000)]
else:
    count = 2 if st.toggle("Compare", value=True) else 1
    clips = [clip(str(number), number, 60) for number in range(count)]
frame = st.query_params.get("frame")
asked = st.session_state.setdefault("asked", [])
moments = replay_player(
    clips=clips,
    key="replay",
    trace="api/traces/stub" if "trace" in st.query_params else None,
    share={"left": "0", "right": "1"},
    start_frame=None if frame is None else int(frame),
    reply=f"{len(asked)}:Asked {len(asked)}." if asked else "",
)
if moments is not None:
    asked.append(" and ".join(f"{int(moment.segment_id, 16)} at {moment.frame}" for moment in moments))
    st.rerun()
for text in asked:
    st.text(f"Compare {text}")
