"""The one place that names keys of the browser session and of the address."""

import streamlit as st

from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.types.run import RunState
from rlhf.ui.access import visitor_here
from rlhf.ui.store import open_store

_RUN = "run_id"


def current_run() -> str | None:
    """Return the run the person is looking at: of the address, the session, or else the newest going one.

    None where there is none that they may label. Also writes it to the address, so that a link or a reload
    shows the same run.
    """
    visitor = visitor_here()
    with reading(open_store().engine) as connection:
        rows = [row for row in runs.list_runs(connection) if visitor.may_label(row["id"])]
    known = [row["id"] for row in rows]
    going = [row["id"] for row in rows if row["state"] in (RunState.RUNNING, RunState.CREATED)]
    asked = (st.query_params.get("run"), st.session_state.get(_RUN), *going, *known)
    run_id = next((run_id for run_id in asked if run_id in known), None)
    if run_id is not None:
        choose_run(run_id)
        if st.query_params.get("run") != run_id:
            st.query_params["run"] = run_id
    return run_id


def choose_run(run_id: str) -> None:
    """Make this the run that the pages show."""
    st.session_state[_RUN] = run_id
