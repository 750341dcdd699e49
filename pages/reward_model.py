"""What the reward model has learned so far, and how far it can be trusted."""

import streamlit as st

from rlhf.ui import answer_dialog, reward_alarms, reward_grades, reward_report, reward_versions, reward_view
from rlhf.ui.design_report import design_report
from rlhf.ui.design_view import edit_design
from rlhf.ui.disputed_answers import disputed_answers
from rlhf.ui.first_paint import paint_first
from rlhf.ui.inside_clip import inside_clip
from rlhf.ui.run_heading import run_heading
from rlhf.ui.run_view import view_curves, view_run
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

REFRESH_S = 4.0


@st.fragment(run_every=REFRESH_S)
def report_card(run_id: str) -> None:
    store = open_store()
    engine, blobs = store.engine, store.blobs
    view = view_run(engine, run_id)
    if view.reward_version == 0:
        st.info(view.message or "No reward version yet.", icon=":material/insights:")
        return
    judgements = reward_view.view_judgements(engine, blobs, run_id, view.reward_version)
    versions = reward_versions.view_versions(engine, run_id)
    reward_report.headline(view, judgements)
    paint_first()
    reward_alarms.alarms(engine, run_id)
    reward_report.foresight(judgements, key=run_id)
    reward_report.learning(
        view_curves(engine, run_id, reward_report.CURVES), judgements, versions, key=run_id
    )
    reward_grades.grades(reward_view.view_grades(engine, run_id), key=run_id)
    reward_versions.model_class(versions[-1]["report"])
    reward_versions.table(versions)
    reward_versions.differences(engine, blobs, run_id, versions, key=run_id)


def change_of_mind(run_id: str) -> None:
    store = open_store()
    version = view_run(store.engine, run_id).reward_version
    if version == 0:
        st.info("No reward version yet.", icon=":material/insights:")
        return
    if key := disputed_answers(store.engine, store.blobs, run_id, version):
        answer_dialog.show(run_id, key)


@st.fragment(run_every=REFRESH_S)
def inside(run_id: str) -> None:
    store = open_store()
    view = view_run(store.engine, run_id)
    if view.reward_version == 0:
        st.info(view.message or "No reward version yet.", icon=":material/insights:")
        return
    inside_clip(store.engine, run_id, view.reward_version)


@st.fragment(run_every=REFRESH_S)
def became_of_it(run_id: str) -> None:
    design_report(open_store(), run_id)


def design(run_id: str) -> None:
    edit_design(run_id)
    became_of_it(run_id)


VIEWS = {
    "card": ("Report card", report_card),
    "clip": ("Inside a clip", inside),
    "disputed": ("Change its mind", change_of_mind),
    "design": ("Design", design),
}
"""By the word in the page's address, ``?view=``."""

run_id = current_run()
if run_id is None:
    st.title("No reward model yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    asked = st.query_params.get("view")
    chosen = st.segmented_control(
        "What to show",
        list(VIEWS),
        required=True,
        default=asked if asked in VIEWS else "card",
        format_func=lambda word: VIEWS[word][0],
        label_visibility="collapsed",
        key="reward_view",
        persist_state="session",
    )
    if chosen != (asked or "card"):
        st.query_params["view"] = chosen
    VIEWS[chosen][1](run_id)
    if key := answer_dialog.asked_for():
        answer_dialog.show(run_id, key)
