"""What the reward model has learned so far, and how far it can be trusted."""

import streamlit as st

from rlhf.ui import charts, reward_report
from rlhf.ui.inside_clip import inside_clip
from rlhf.ui.run_heading import run_heading
from rlhf.ui.run_view import view_curves, view_run
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

REFRESH_S = 4.0


@st.fragment(run_every=REFRESH_S)
def report(run_id: str) -> None:
    engine = open_store().engine
    view = view_run(engine, run_id)
    if view.reward_version == 0:
        st.info(view.message or "No reward version yet.", icon=":material/insights:")
        return
    predictions = reward_report.view_predictions(engine, run_id)
    reward_report.headline(view, predictions)
    names = ["reward/out_of_bag_accuracy", "reward/out_of_bag_nll", "reward/num_answers"]
    points = view_curves(engine, run_id, names)
    columns = st.columns(3)
    for column, name, is_share in zip(columns, names, (True, False, False), strict=True):
        with column:
            charts.curve(points, name, key=f"{name}-{run_id}", share=is_share)
    reward_report.calibration(predictions, key=run_id)
    reward_report.versions(engine, run_id)
    inside_clip(engine, run_id, view.reward_version)


run_id = current_run()
if run_id is None:
    st.title("No reward model yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    st.caption("How well the reward model foresees answers that it has not learned from.")
    report(run_id)
