"""Who may come in, and what they may do."""

import streamlit as st

from rlhf.ui.invitations import invite_people
from rlhf.ui.session import current_run

current_run()  # of the address: the pages that one goes on to show the same run
st.title("Access", anchor=False)
invite_people()
