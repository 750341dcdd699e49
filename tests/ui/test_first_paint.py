"""What is at the top of a page reaches a new tab before the rest."""

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.ui import first_paint

LEAD_S = 0.5


def _page() -> None:
    import time

    import streamlit as st

    from rlhf.ui.first_paint import paint_first

    began = time.monotonic()
    paint_first()
    paint_first()
    st.text(str(time.monotonic() - began))


def test_the_rest_waits_once_in_a_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_paint, "LEAD_S", LEAD_S)
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert LEAD_S <= float(page.text[0].value) < 2 * LEAD_S
    assert float(page.run().text[0].value) < LEAD_S
    another = AppTest.from_function(_page, default_timeout=30).run()
    assert float(another.text[0].value) >= LEAD_S
