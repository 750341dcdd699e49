"""What is being taught, and what could be."""

import streamlit as st

from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.types.run import RunState
from rlhf.ui import lineage, preset_gallery, run_panel
from rlhf.ui.first_paint import paint_first
from rlhf.ui.run_view import view_run
from rlhf.ui.store import open_store

REFRESH_S = 2.0
SHOWN = 20


@st.fragment(run_every=REFRESH_S)
def run_card(run_id: str, is_expanded: bool) -> None:
    view = view_run(open_store().engine, run_id)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(view.goal, anchor=False)
            run_panel.state_badge(view)
        st.caption(f"{view.task} · {view.run_id}")
        run_panel.progress(view)
        if is_expanded:
            run_panel.numbers(view)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            run_panel.controls(view)
            run_panel.teacher_switch(view)
            run_panel.links(view)
        if is_expanded:
            paint_first()
            run_panel.learning_curves(view, key=f"curves-{run_id}")


with reading(open_store().engine) as connection:
    rows = runs.list_runs(connection)

if not rows:
    st.title("Teach an agent by taste", anchor=False)
    st.write(
        "Pick something to teach. You will see two short clips of what the agent does and say which is "
        "better; it learns what you like from your answers and practises in the background."
    )
    preset_gallery.show()
else:
    st.title("Runs", anchor=False)
    going = [row for row in rows if row["state"] in (RunState.RUNNING, RunState.CREATED, RunState.PAUSED)]
    over = [row for row in rows if row not in going]
    for index, row in enumerate(going):
        run_card(row["id"], is_expanded=index == 0)
    lineage.show(open_store().engine)
    presets = st.expander("Start another run", icon=":material/add:", key="presets", on_change="rerun")
    if presets.open:  # a dozen clips, only for whoever wants them
        with presets:
            preset_gallery.show()
    if over:
        st.subheader("Earlier runs", anchor=False)
        for row in over[:SHOWN]:
            run_card(row["id"], is_expanded=False)
        if len(over) > SHOWN:
            st.caption(f"{len(over) - SHOWN} older ones: `python -m rlhf run list`")
