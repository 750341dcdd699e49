"""The player of the run and mode named in the address, and something to type into."""

import streamlit as st

from rlhf.ui.label_modes import chosen_mode

above = st.container()
mode = chosen_mode()
with above:
    mode.player(run_id=st.query_params.get("run", "none"), key=mode.name)
st.text_input("Note")
st.button("Rerun")
