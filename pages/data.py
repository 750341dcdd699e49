"""Look at the answers, find some, set aside what is wrong, and see what was changed."""

import streamlit as st

from rlhf.ui import answer_dialog, data_acts, data_filters, data_list, data_view, downloads
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

run_id = current_run()
if run_id is None:
    st.title("No answers yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    engine = open_store().engine
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption("Every answer ever given. Nothing is deleted: what is set aside can be brought back.")
        downloads.links(run_id)
    with st.container():  # always there, so that what follows stays where it is
        data_acts.latest_act(run_id)
    clicked = data_list.show(data_filters.choose(run_id, data_view.view_people(engine, run_id)))
    data_acts.log(run_id)
    if key := clicked or answer_dialog.asked_for():
        answer_dialog.show(run_id, key)
