"""How a job in the background is shown: how far it is, a way to stop it, and why it failed."""

from collections.abc import Callable

import sqlalchemy as sa
import streamlit as st

from rlhf.ui.store import open_store


def progress_with_stop(
    num_done: int,
    num_in_all: int,
    text: str,
    *,
    key: str,
    stop: Callable[[sa.Engine, str], None],
    subject: str,
) -> None:
    """Draw how far a job is, and a button that stops it.

    Args:
        num_done: of ``num_in_all``, which is 0 where that is not known yet.
        num_in_all: how much there is to do.
        text: what is being done; empty: it has not begun.
        key: of the button, unique on the page.
        stop: called with the store's engine and ``subject``.
        subject: what is stopped.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(num_done / num_in_all if num_in_all else 0.0, text=text or "Waiting for a worker.")
        st.button("Stop", key=key, icon=":material/stop:", on_click=stop, args=(open_store().engine, subject))


def why_it_failed(job: sa.RowMapping) -> str:
    """Return the last line of a failed job's traceback."""
    return (job["error"] or "").strip().rpartition("\n")[2]
