"""The tasks to choose from, each with a looping picture and a button that starts a run."""

import html

import streamlit as st

from rlhf.errors import RlhfError
from rlhf.experience.tasks import GYM_PREFIX, list_tasks
from rlhf.loop.start_run import new_run, start_run
from rlhf.types.task import Task
from rlhf.ui.routes import PREVIEWS
from rlhf.ui.session import choose_run
from rlhf.ui.store import open_store

_COLUMNS = 4
_SHOW_FIRST = "show_first"


def show() -> None:
    """Draw the gallery; starting a task leads to where it is taught."""
    st.toggle(
        "Show it first",
        key=_SHOW_FIRST,
        help="The run waits while episodes are recorded on *Demonstrate*, and starts by imitating them.",
    )
    tasks = list_tasks()
    for first in range(0, len(tasks), _COLUMNS):
        for column, task in zip(st.columns(_COLUMNS), tasks[first : first + _COLUMNS], strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(task)
    with st.expander("Another environment", icon=":material/extension:"):
        _any_environment()


def _card(task: Task) -> None:
    if (PREVIEWS / f"{task.name}.mp4").exists():
        st.html(
            f'<video src="previews/{task.name}.mp4" autoplay loop muted playsinline width="100%" '
            f'style="border-radius:8px;aspect-ratio:4/3;object-fit:cover" '
            f'aria-label="{html.escape(task.goal)}"></video>'
        )
    st.caption(task.name)
    if st.button(f"Start {task.goal}", key=f"start-preset-{task.name}", width="stretch", type="primary"):
        _start(task.name)


def _any_environment() -> None:
    with st.form("any-environment", border=False):
        env_id = st.text_input(
            "Gymnasium environment id",
            placeholder="e.g. Reacher-v5",
            help="Its clips are compared like any other; it must be able to render pictures.",
        )
        if st.form_submit_button("Start") and env_id:
            _start_environment(env_id.strip().removeprefix(GYM_PREFIX))


def _start_environment(env_id: str) -> None:
    # Importing a module runs its code: not for whoever can open the page to choose.
    if ":" in env_id:
        st.error(
            f"{env_id!r} names a module, and pages import none. Start it from the command line: "
            "`python -m rlhf run new --task gym:<module>:<EnvId>`."
        )
        return
    _start(GYM_PREFIX + env_id)


def _start(task_name: str) -> None:
    engine = open_store().engine
    waits = bool(st.session_state[_SHOW_FIRST])
    try:
        run_id = new_run(engine, task_name, overrides={"demonstrations.clone": True} if waits else {})
        if not waits:
            start_run(engine, run_id)
    except RlhfError as error:
        st.error(str(error))
        return
    choose_run(run_id)
    st.switch_page("demonstrate.py" if waits else "label.py", query_params={"run": run_id})
