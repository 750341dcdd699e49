"""Show the agent how it is done, by keyboard or by a scripted expert."""

import streamlit as st

from rlhf.ui import demonstration_list
from rlhf.ui.demonstration_player import demonstration_player
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run

REFRESH_S = 2.0


@st.fragment(run_every=REFRESH_S)
def kept(run_id: str) -> None:
    demonstration_list.how_it_starts(run_id)
    demonstration_list.show(run_id)


run_id = current_run()
if run_id is None:
    st.title("Nothing to show yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    takeover = demonstration_list.takeover_of_address()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run_heading(run_id)
        st.caption(
            "Show how it is done. Kept episodes are preferred over what the agent does.", width="content"
        )
    if takeover is not None:
        st.caption(f"You take over from frame {takeover['frame'] + 1} of the recording that you watched.")
        if st.button("Begin new episodes instead", icon=":material/restart_alt:"):
            demonstration_list.forget_takeover()
    demonstration_player(run_id=run_id, key=f"demonstration-{run_id}", takeover=takeover)
    demonstration_list.expert_button(run_id)
    kept(run_id)
