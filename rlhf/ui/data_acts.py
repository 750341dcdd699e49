"""What a researcher does on the Data page: the dialogs that ask once more, and the log with its way back."""

import time
from collections.abc import Callable

import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop.void_answers import Act, revert_change, void_answers
from rlhf.storage.answer_search import AnswerFilter
from rlhf.types.feedback import ChangeKind
from rlhf.ui.access import visitor_here
from rlhf.ui.data_view import change_text, plain, time_text, view_log
from rlhf.ui.store import open_store

_FRESH_S = 600.0
"""How long the latest act is offered to be taken back on top of the page."""


def researcher() -> str:
    """Return the id of whoever looks at the page; acts and answers are in their name."""
    return visitor_here().annotator_id or "researcher"


def do(action: Callable[[], Act], done: str) -> None:
    """Do something to answers, say how many it was about, and draw the page anew; say why it failed, else.

    Args:
        action: does it.
        done: what was done, after the number, such as ``set aside``.
    """
    try:
        act = action()
    except RlhfError as error:
        st.error(str(error))
        return
    number = act.num_answers
    said = f"{number:,} answer{'' if number == 1 else 's'} {done}."
    if act.num_left_out:
        said += f" {act.num_left_out:,} left out: they were answered anew since."
    st.toast(said if number else "There was nothing left to do.")
    st.rerun()


@st.dialog("Set these answers aside")
def void_many(wanted: AnswerFilter, number: int) -> None:
    """Ask for a reason and set aside everything that the filter finds."""
    noun = "answer" if number == 1 else "answers"
    st.write(f"**{number:,} {noun}** will be kept but no longer learned from. One click brings them back.")
    reason = st.text_input("Why?", max_chars=500, key="data-void-reason")
    if st.button(f"Set {number:,} {noun} aside", type="primary", icon=":material/block:"):
        engine, by = open_store().engine, researcher()
        with st.spinner("Setting aside…"):
            do(lambda: void_answers(engine, wanted, by=by, reason=reason), "set aside")


def latest_act(run_id: str) -> None:
    """Show this person's own latest act, while it is fresh, with a button that takes it back."""
    change = next(iter(view_log(open_store().engine, run_id)), None)
    if change is None or change["by"] != researcher() or time.time() - change["at"] > _FRESH_S:
        return
    if change["kind"] is ChangeKind.RESTORE or change["num_reverted"] >= change["num_answers"]:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/history: {plain(change_text(change))}", width="stretch")
        _revert_button(run_id, change["id"], "Undo", key="data-undo-latest")


def log(run_id: str) -> None:
    """List the latest acts, each with a button that takes it back."""
    changes = view_log(open_store().engine, run_id)
    with st.expander(f"What was changed ({len(changes)})", icon=":material/history:"):
        if not changes:
            st.caption("Nothing yet: every answer is as it was given.")
        for change in changes:
            with st.container(horizontal=True, vertical_alignment="center"):
                when = time_text(change["at"], st.context.timezone)
                st.markdown(f"{plain(change_text(change))}  \n:gray[{when}]", width="stretch")
                if change["kind"] is ChangeKind.IMPORT:
                    continue
                if change["num_reverted"] >= change["num_answers"]:
                    st.caption("taken back", width="content")
                else:
                    _revert_button(run_id, change["id"], "Take back", key=f"data-revert-{change['id']}")


def _revert_button(run_id: str, change_id: str, label: str, *, key: str) -> None:
    if st.button(label, icon=":material/undo:", key=key):
        engine, by = open_store().engine, researcher()
        do(lambda: revert_change(engine, run_id, change_id, by=by), "changed back")
