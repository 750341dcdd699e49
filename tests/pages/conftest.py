"""Pages drawn without a browser."""

import pytest

from rlhf.ui import first_paint


@pytest.fixture(autouse=True)
def no_browser_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_paint, "LEAD_S", 0.0)
