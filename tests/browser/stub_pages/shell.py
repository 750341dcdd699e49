"""Pages of the stub app: the players by themselves."""

import streamlit as st

st.set_page_config(layout="wide")
st.navigation([st.Page("home.py"), st.Page("label.py"), st.Page("replays.py")], position="top").run()
