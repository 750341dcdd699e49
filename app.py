"""Preference Studio: ``streamlit run app.py``.

The server imports this file once and finds ``app``, with its routes and lifespan. Each browser session then
runs ``pages/_shell.py``, which shows the pages listed here.
"""

from pathlib import Path

import streamlit as st

from rlhf.ui.routes import routes
from rlhf.ui.server import lifespan

PAGES = Path(__file__).parent / "pages"
FAVICON = Path(__file__).parent / "rlhf" / "ui" / "favicon.png"


def show_pages() -> None:
    """Draw the navigation and the page that was asked for."""
    st.set_page_config(page_title="Preference Studio", page_icon=FAVICON, layout="wide")
    pages = [
        st.Page(PAGES / "home.py", title="Runs", icon=":material/home:", default=True),
        st.Page(PAGES / "label.py", title="Label", icon=":material/compare:"),
        st.Page(PAGES / "replays.py", title="Replays", icon=":material/movie:"),
        st.Page(PAGES / "reward_model.py", title="Reward model", icon=":material/insights:"),
        st.Page(PAGES / "training.py", title="Training", icon=":material/show_chart:"),
    ]
    st.navigation(pages, position="top").run()


app = st.App(PAGES / "_shell.py", routes=routes(), lifespan=lifespan)
