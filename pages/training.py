"""Every curve of a run, beside other runs, with what happened on the way and where the time goes."""

import streamlit as st

from rlhf.metrics import METRICS
from rlhf.ui import run_panel, training_view
from rlhf.ui.first_paint import paint_first
from rlhf.ui.run_heading import run_heading
from rlhf.ui.run_view import view_run
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store
from rlhf.ui.win_rate import win_rate
from rlhf.ui.world_view import change_the_world

REFRESH_S = 5.0


@st.fragment(run_every=REFRESH_S)
def curves(run_id: str) -> None:
    engine = open_store().engine
    view = view_run(engine, run_id)
    run_panel.state_badge(view)
    run_panel.progress(view)
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        group = st.segmented_control(
            "Curves", list(training_view.GROUPS), default=next(iter(training_view.GROUPS)), required=True
        )
        chosen = training_view.choose_runs(engine, run_id)
    points = training_view.view_training(engine, list(chosen), list(METRICS))
    events = training_view.view_events(engine, run_id)
    training_view.legend(events)
    paint_first()
    training_view.draw_curves(points, events, training_view.GROUPS[group], chosen, key=f"training-{run_id}")
    win_rate(engine, run_id, key=f"win-rate-{run_id}")
    st.markdown("**Where the time goes**", help="Seconds of each stage since the start of the run.")
    training_view.draw_seconds(points, chosen, key=f"seconds-{run_id}")
    st.markdown("**What happened**")
    training_view.draw_events(events)


@st.fragment  # of its own, so that nothing is drawn anew while somebody types
def world(run_id: str) -> None:
    change_the_world(view_run(open_store().engine, run_id))


run_id = current_run()
if run_id is None:
    st.title("No curves yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    curves(run_id)
    world(run_id)
