"""The default page, so that the players live at addresses of their own."""

import streamlit as st

st.write("Home")
