"""The player of the run and mode named in the address, and something to type into."""

import streamlit as st

from rlhf.ui.label_modes import MODES

mode = st.query_params.get("mode", "pairs")
MODES[mode].player(run_id=st.query_params.get("run", "none"), key=mode)
st.text_input("Note")
st.button("Rerun")
