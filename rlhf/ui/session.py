"""The one place that names keys of the browser session and of the address."""

import sqlalchemy as sa
import streamlit as st

from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.types.run import RunState
from rlhf.ui.access import visitor_here
from rlhf.ui.store import open_store

_RUN = "run_id"
_ADDRESS = "run"


def current_run() -> str | None:
    """Return the run the person is looking at: of the address, the session, or else the newest going one.

    None where there is none that they may label. Also writes it to the address, so that a link or a reload
    shows the same run.
    """
    rows = runs_here()
    known = [row["id"] for row in rows]
    going = [row["id"] for row in rows if row["state"] in (RunState.RUNNING, RunState.CREATED)]
    asked = (st.query_params.get(_ADDRESS), st.session_state.get(_RUN), *going, *known)
    run_id = next((run_id for run_id in asked if run_id in known), None)
    if run_id is not None:
        choose_run(run_id)
        if st.query_params.get(_ADDRESS) != run_id:
            st.query_params[_ADDRESS] = run_id
    return run_id


def runs_here() -> list[sa.RowMapping]:
    """Return the runs that the visitor may label, the newest first."""
    visitor = visitor_here()
    with reading(open_store().engine) as connection:
        return [row for row in runs.list_runs(connection) if visitor.may_label(row["id"])]


def choose_run(run_id: str) -> None:
    """Make this the run that the pages show."""
    st.session_state[_RUN] = run_id


def turn_to_run(run_id: str) -> None:
    """Show another run on the page that is open, without what the address says of the last one."""
    choose_run(run_id)
    st.query_params.from_dict({_ADDRESS: run_id})
