"""A run as a card: where it stands, its curves, and what can be done with it."""

from collections.abc import Callable

import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop import start_run
from rlhf.metrics import METRICS
from rlhf.types.run import RunState
from rlhf.ui import charts
from rlhf.ui.run_view import RunView, view_curves
from rlhf.ui.session import choose_run
from rlhf.ui.store import open_store

_COLOURS = {
    RunState.RUNNING: ("green", ":material/play_circle:"),
    RunState.PAUSED: ("orange", ":material/pause_circle:"),
    RunState.FINISHED: ("blue", ":material/check_circle:"),
    RunState.FAILED: ("red", ":material/error:"),
    RunState.STOPPED: ("gray", ":material/stop_circle:"),
    RunState.CREATED: ("gray", ":material/hourglass_empty:"),
}
TEACHERS = {
    "oracle": "always right",
    "mistake:0.1": "one answer in ten wrong",
    "stochastic": "unsure where it is close",
    "oracle+mistake:0.3+equal": "a mixed crowd",
}
"""Those that are offered, in words."""


def state_badge(view: RunView) -> None:
    """Show a run's state as a coloured word."""
    colour, icon = _COLOURS[view.state]
    word = {RunState.PAUSED: "pausing", RunState.STOPPED: "stopping"}.get(view.wanted, "starting")
    st.badge(f"{word}…" if view.is_changing else view.state.value, color=colour, icon=icon)  # type: ignore[arg-type]


def numbers(view: RunView) -> None:
    """Show the counters that people ask for."""
    with st.container(horizontal=True, gap="medium"):
        st.metric("Answers", f"{view.answers:,}")
        st.metric("Reward version", view.reward_version)
        st.metric(
            METRICS["reward/out_of_bag_accuracy"].title,
            "–" if view.accuracy is None else f"{view.accuracy:.0%}",
        )
        st.metric("Policy updates", f"{view.policy_version:,}")


def controls(view: RunView) -> None:
    """Show the buttons that start, pause, resume and stop the run."""
    engine = open_store().engine
    key = view.run_id
    with st.container(horizontal=True, gap="small", width="content"):
        if view.wanted is RunState.RUNNING and not view.state.is_over:
            _button("Pause", ":material/pause:", f"pause-{key}", start_run.pause_run, engine, key)
        elif view.state is not RunState.FINISHED:
            word = "Start" if view.state is RunState.CREATED else "Resume"
            _button(word, ":material/play_arrow:", f"start-{key}", start_run.start_run, engine, key)
        if not view.state.is_over:
            _button("Stop", ":material/stop:", f"stop-{key}", start_run.stop_run, engine, key)


def links(view: RunView) -> None:
    """Show the ways from a run to where it is taught and watched; the navigation leads on from there."""
    with st.container(horizontal=True, gap="small", width="content"):
        pages = (
            ("label.py", "Label", ":material/compare:"),
            ("replays.py", "Replays", ":material/movie:"),
            ("training.py", "Training", ":material/show_chart:"),
            ("fine_tune.py", "Fine-tune", ":material/fork_right:"),
        )
        for page, title, icon in pages:
            st.page_link(page, label=title, icon=icon, query_params={"run": view.run_id})


def teacher_switch(view: RunView) -> None:
    """Show the switch that lets a synthetic teacher answer, while there is a run to answer for."""
    if view.state.is_over:
        return
    engine = open_store().engine
    with st.container(horizontal=True, gap="small", vertical_alignment="center", width="content"):
        is_on = st.toggle(
            "Answer for me",
            value=view.teacher is not None,
            key=f"teach-{view.run_id}-{view.teacher}",
            help="A synthetic teacher answers by the task's true reward, through the same queue as people.",
        )
        wanted = _teacher(view) if is_on else None
    if wanted != view.teacher and _do(start_run.set_teacher, engine, view.run_id, wanted):
        st.rerun()


def progress(view: RunView) -> None:
    """Show how far the run is and what it is doing."""
    st.progress(view.progress, text=f"{view.steps:,} of {view.total_steps:,} steps")
    if view.error:
        st.error(view.error, icon=":material/error:")
    elif view.message:
        st.caption(view.message)


def restart(view: RunView) -> None:
    """Say why clips may look like a beginner's again."""
    if view.restart and not view.state.is_over:
        st.caption(f":material/restart_alt: {view.restart}")


def learning_curves(view: RunView, *, key: str) -> None:
    """Draw the curves that show whether the answers help."""
    names = ["experience/predicted_return", "experience/true_return", "reward/out_of_bag_accuracy"]
    points = view_curves(open_store().engine, view.run_id, names)
    columns = st.columns(3)
    with columns[0]:
        charts.curve(points, names[0], key=f"{key}-predicted")
    with columns[1]:
        charts.curve(points, names[1], key=f"{key}-true", baseline=view.random_return)
    with columns[2]:
        charts.curve(points, names[2], key=f"{key}-accuracy", share=True)


def _teacher(view: RunView) -> str:
    """Draw the choice of the teacher that answers; one that was named elsewhere is offered as well."""
    choices = list(dict.fromkeys((*TEACHERS, view.teacher or next(iter(TEACHERS)))))
    return st.selectbox(
        "Teacher",
        choices,
        index=choices.index(view.teacher) if view.teacher else 0,
        key=f"teacher-{view.run_id}-{view.teacher}",
        format_func=lambda spec: f"{spec}: {TEACHERS[spec]}" if spec in TEACHERS else spec,
        label_visibility="collapsed",
        width=270,
    )


def _button(
    label: str, icon: str, key: str, action: Callable[[sa.Engine, str], None], engine: sa.Engine, run_id: str
) -> None:
    if st.button(label, icon=icon, key=key):
        choose_run(run_id)
        if _do(action, engine, run_id):
            st.rerun()


def _do(action: Callable[..., None], *arguments: object) -> bool:
    try:
        action(*arguments)
    except RlhfError as error:
        st.error(str(error))
        return False
    return True
