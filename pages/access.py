"""Who may come in, and what they may do."""

import streamlit as st

from rlhf.ui.invitations import invite_people

st.title("Access", anchor=False)
invite_people()
