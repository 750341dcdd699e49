"""Watch any saved policy, alone or beside another or a demonstration, from the same start."""

import streamlit as st

from rlhf.ui import replay_list
from rlhf.ui.foresight_view import would_foresight_help
from rlhf.ui.replay_player import replay_player
from rlhf.ui.replay_view import view_demonstrations, view_policies
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store
from rlhf.ui.win_rate import win_rate

REFRESH_S = 4.0


@st.fragment(run_every=REFRESH_S)
def replays(run_id: str) -> None:
    engine = open_store().engine
    saved = view_policies(engine, run_id)
    drawn = [policy for policy in saved if policy.recording is not None]
    if not drawn:
        st.info("The first policy is being recorded; it appears here in a moment.", icon=":material/movie:")
        return
    left, right = replay_list.choose(drawn, view_demonstrations(engine, run_id), run_id=run_id)
    replay_list.strip(drawn, left, right, run_id=run_id)
    clips = replay_list.clips_of(run_id, left, right)
    moments = replay_player(
        clips=clips,
        key=f"replay-{run_id}",
        max_clip_height=320,
        start_frame=replay_list.frame_of_address(),
        share=dict(st.query_params) | {"run": run_id},
        reply=replay_list.reply_to(run_id),
        trace=replay_list.reward_under(engine, run_id, clips),
    )
    replay_list.ask(run_id, moments)
    replay_list.way_to_label(run_id)
    win_rate(engine, run_id, key=f"win-rate-{run_id}")
    would_foresight_help(run_id)
    replay_list.table(saved)


run_id = current_run()
if run_id is None:
    st.title("Nothing to watch yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    st.caption("Every version starts from the same states, so what differs is what was learned.")
    replays(run_id)
