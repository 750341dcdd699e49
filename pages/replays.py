"""Watch any saved policy, alone or beside another, from the same start."""

import streamlit as st

from rlhf.ui import replay_list
from rlhf.ui.replay_player import replay_player
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store
from rlhf.ui.win_rate import win_rate

REFRESH_S = 4.0


@st.fragment(run_every=REFRESH_S)
def replays(run_id: str) -> None:
    saved = replay_list.view_policies(open_store().engine, run_id)
    drawn = [policy for policy in saved if policy.clip is not None]
    if not drawn:
        st.info("The first policy is being recorded; it appears here in a moment.", icon=":material/movie:")
        return
    left, right = replay_list.choose(drawn, key=run_id)
    if left is not None:
        shown = [policy for policy in (left, right) if policy is not None]
        versions = "-".join(str(policy.version) for policy in shown)
        replay_player(
            clips=[replay_list.clip_of(p, run_id) for p in shown], key=f"replay-{run_id}-{versions}"
        )
    win_rate(open_store().engine, run_id, key=f"win-rate-{run_id}")
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
