"""Preference Studio: ``streamlit run app.py``.

The server imports this file once and finds ``app``, with its routes and lifespan. Each browser session then
runs ``pages/_shell.py``, which shows the pages listed here.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from rlhf.types.people import Role
from rlhf.ui.front_page import FrontPage
from rlhf.ui.gate import Gate
from rlhf.ui.navigation import PageEntry, choose_page
from rlhf.ui.routes import routes
from rlhf.ui.server import lifespan

FOLDER = Path(__file__).parent / "pages"
FAVICON = Path(__file__).parent / "rlhf" / "ui" / "favicon.png"
PAGES = (
    PageEntry("home.py", "Runs", ":material/home:", Role.RESEARCHER),
    PageEntry("label.py", "Label", ":material/compare:", Role.ANNOTATOR),
    PageEntry("demonstrate.py", "Demonstrate", ":material/sports_esports:", Role.RESEARCHER),
    PageEntry("replays.py", "Replays", ":material/movie:", Role.RESEARCHER),
    PageEntry("training.py", "Training", ":material/show_chart:", Role.RESEARCHER),
    PageEntry("fine_tune.py", "Fine-tune", ":material/fork_right:", Role.RESEARCHER),
    PageEntry("reward_model.py", "Reward model", ":material/insights:", Role.RESEARCHER),
    PageEntry("map.py", "Map", ":material/scatter_plot:", Role.RESEARCHER),
    PageEntry("data.py", "Data", ":material/table_rows:", Role.RESEARCHER),
    PageEntry("people.py", "People", ":material/group:", Role.RESEARCHER),
    PageEntry("access.py", "Access", ":material/key:", Role.RESEARCHER),
)
"""Every page with the least role that it takes, in the order of the work: teach, watch, look into it, let
others in. The first is at the address of the studio itself."""


def show_pages() -> None:
    """Draw the navigation and the page that was asked for."""
    st.set_page_config(page_icon=FAVICON, layout="wide")
    page = choose_page(FOLDER, PAGES)
    if page is not None:
        page.run()


own_routes = routes()
app = st.App(
    FOLDER / "_shell.py",
    routes=own_routes,
    lifespan=lifespan,
    middleware=[Middleware(Gate, own_routes), Middleware(FrontPage)],
)
