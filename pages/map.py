"""See all behaviour at once, what the reward says of it, and ask about what is in doubt."""

import streamlit as st

from rlhf.ui import map_view
from rlhf.ui.behaviour_map import behaviour_map
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

REFRESH_S = 3.0


@st.fragment(run_every=REFRESH_S)
def show_map(run_id: str) -> None:
    store = open_store()
    view = map_view.view_map(store, run_id)
    map_view.keep_up(store, run_id, view)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(map_view.status_text(view))
        if view.map_id and view.is_old and not view.is_waiting:
            label = "Bring up to date" if view.error is None else "Try again"
            order = {"on_click": map_view.order_map, "args": (store, run_id)}
            st.button(label, key=f"map-renew-{run_id}", icon=":material/refresh:", type="tertiary", **order)
    if view.map_id is not None:
        behaviour_map(run_id=run_id, map_id=view.map_id, key="behaviour-map")


run_id = current_run()
if run_id is None:
    st.title("No behaviour to show yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    show_map(run_id)
