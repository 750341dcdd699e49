"""What is being taught, as the heading of a page, and the way to the other runs."""

import streamlit as st

from rlhf.ui.session import runs_here, turn_to_run

_SHOWN = 20


def run_heading(run_id: str) -> None:
    """Draw the goal of a run and, where there are others, a button that lists them.

    Belongs outside of fragments: turning to another run draws the whole page anew.
    """
    rows = {row["id"]: row for row in runs_here()}
    others = [row for row in rows.values() if row["id"] != run_id]
    st.subheader(rows[run_id]["goal"], anchor=False, width="content")
    if not others:
        return
    # With a key of the run it is closed again once another one is shown.
    with st.popover("Other runs", icon=":material/swap_horiz:", type="tertiary", key=f"other-runs-{run_id}"):
        for row in others[:_SHOWN]:
            st.button(
                f"{row['goal']}  \n:small[{row['id']} · {row['state'].value}]",
                key=f"turn-to-{row['id']}",
                type="tertiary",
                on_click=turn_to_run,
                args=(row["id"],),
            )
        if len(others) > _SHOWN:
            st.caption(f"{len(others) - _SHOWN} older ones are on the Runs page.")
