"""Start a run from what another one has learned, and watch the two side by side."""

import streamlit as st

from rlhf.loop.look_at_source import Source
from rlhf.loop.ways import Way
from rlhf.types.task import Task
from rlhf.ui import fine_tune_view, source_ranking_view
from rlhf.ui.first_paint import paint_first
from rlhf.ui.run_heading import run_heading
from rlhf.ui.run_view import view_run
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

REFRESH_S = 3.0


@st.fragment(run_every=REFRESH_S)
def compare(run_id: str) -> None:
    fine_tune_view.compare(run_id)


@st.fragment(run_every=REFRESH_S)
def which_source(run_id: str, target: Task) -> None:
    source_ranking_view.which_source(run_id, target)


@st.fragment(run_every=REFRESH_S)
def which_way(source: Source) -> None:
    source_ranking_view.which_way(source)


run_id = current_run()
if run_id is None:
    st.title("Nothing to start from yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    st.caption("A new run starts from what this one has learned. This one stays as it is.")
    left, right = st.columns(2, gap="large")
    with left:
        version = fine_tune_view.choose_policy(run_id)
    paint_first()
    with right:
        task = view_run(open_store().engine, run_id).task
        source = fine_tune_view.choose_target(run_id, task, version)
        if source is not None:
            taken = fine_tune_view.choose_parts(source)
    if source is not None:
        way = fine_tune_view.choose_way(source) if "policy" in taken else Way()
        fine_tune_view.start(source, taken, way)
        if "policy" in taken:
            which_way(source)
        which_source(run_id, source.task)
    compare(run_id)
