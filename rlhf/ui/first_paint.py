"""In a tab that has just been opened, the top of a page is on the screen before the rest of it is sent.

The browser draws nothing while it reads the programs of charts and tables and runs them for the first time,
a second on a laptop; whatever reached it before that is drawn first if it comes alone.
"""

import time

import streamlit as st

LEAD_S = 0.4
"""What a browser takes to draw the top of a page. More would be waited for in vain by fast ones."""
_OPENED = "has_painted"


def paint_first() -> None:
    """Let the browser draw what has been sent so far, once for each tab."""
    if not st.session_state.get(_OPENED):
        st.session_state[_OPENED] = True
        time.sleep(LEAD_S)
