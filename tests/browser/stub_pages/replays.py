"""The replay player with one clip or two, and the reward under them if the address says ``trace``."""

import streamlit as st

from rlhf.ui.replay_player import ReplayClip, replay_player

count = 2 if st.toggle("Compare", value=True) else 1
clips: list[ReplayClip] = [
    {"url": f"clips/{number}.mp4", "label": f"Version {number}", "fps": 30.0, "frames": 60, "poster": None}
    for number in range(count)
]
trace = "api/traces/stub" if "trace" in st.query_params else None
replay_player(clips=clips, key="replay", trace=trace)
