"""Compare two clips: the page where people teach."""

import streamlit as st

from rlhf.types.people import Role
from rlhf.types.run import RunState
from rlhf.ui import run_panel
from rlhf.ui.access import visitor_here
from rlhf.ui.label_modes import chosen_mode
from rlhf.ui.run_heading import run_heading
from rlhf.ui.run_view import view_run
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

REFRESH_S = 2.0


@st.fragment(run_every=REFRESH_S)
def standing(run_id: str) -> None:
    view = view_run(open_store().engine, run_id)
    if view.state is RunState.CREATED and view.wanted is not RunState.RUNNING:
        st.caption("The run is not started yet; start it below.")
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What the agent is learning**")
            run_panel.state_badge(view)
        run_panel.progress(view)
        run_panel.restart(view)
        run_panel.numbers(view)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            run_panel.controls(view)
            run_panel.teacher_switch(view)
        curves = st.expander(
            "Learning curves", icon=":material/show_chart:", key=f"curves-of-{run_id}", on_change="rerun"
        )
        if curves.open:
            with curves:
                run_panel.learning_curves(view, key=f"label-{run_id}")


run_id = current_run()
is_researcher = visitor_here().may(Role.RESEARCHER)
if run_id is None:
    st.title("Nothing to compare yet", anchor=False)
    if is_researcher:
        st.page_link("home.py", label="Start something to teach", icon=":material/home:")
    else:
        st.write("Ask whoever invited you for a link to what is being taught.")
else:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run_heading(run_id)
        mode = chosen_mode()
        st.caption(mode.question, width="content")
    mode.player(run_id=run_id, key=f"{mode.name}-{run_id}")
    if is_researcher:  # what the model has learned would sway whoever only answers
        standing(run_id)
    elif view_run(open_store().engine, run_id).state is RunState.CREATED:
        st.caption("The run is not started yet.")
