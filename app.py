"""Preference Studio: ``streamlit run app.py``.

The server imports this file once and finds ``app``, with its routes and lifespan; each browser session
then runs it as a script and gets the pages.
"""

from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rlhf.ui.routes import routes
from rlhf.ui.server import lifespan

if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(Path(__file__), routes=routes(), lifespan=lifespan)
else:
    st.set_page_config(page_title="Preference Studio", layout="wide")
    pages = [
        st.Page("pages/home.py", title="Runs", icon=":material/home:", default=True),
        st.Page("pages/label.py", title="Label", icon=":material/compare:", url_path="label"),
        st.Page("pages/replays.py", title="Replays", icon=":material/movie:", url_path="replays"),
        st.Page(
            "pages/reward_model.py", title="Reward model", icon=":material/insights:", url_path="reward_model"
        ),
    ]
    st.navigation(pages, position="top").run()
