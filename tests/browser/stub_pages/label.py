"""The pair player of the run named in the address, and something to type into."""

import streamlit as st

from rlhf.ui.pair_player import pair_player

pair_player(run_id=st.query_params.get("run", "none"), key="pairs")
st.text_input("Note")
st.button("Rerun")
