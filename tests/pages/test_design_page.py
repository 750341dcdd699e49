"""The reward model's page of a run whose reward is a design that nobody has answered about."""

from collections.abc import Callable
from pathlib import Path

import pytest
from designed_run import make_designed_run
from streamlit.testing.v1 import AppTest

from rlhf.experience.presets import PRESETS
from rlhf.ui.store import Store, open_store

SHELL = Path(__file__).resolve().parents[2] / "pages" / "_shell.py"


@pytest.fixture
def run_id(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()
    return make_designed_run(store, make_run)


@pytest.mark.parametrize("view", ["card", "clip", "disputed", "design"])
def test_every_view_of_a_design_that_nobody_answered_can_be_drawn(run_id: str, view: str) -> None:
    page = AppTest.from_file(str(SHELL), default_timeout=60)
    page.run()
    page.query_params["run"] = run_id
    page.query_params["view"] = view
    page.switch_page("reward_model.py").run()
    assert not page.exception
    if view == "design":
        captions = [caption.value for caption in page.caption]
        assert any("Fitted to no answers yet under design 1 by studio" in one for one in captions)
    if view == "card":
        assert any("The design is all there is" in caption.value for caption in page.caption)


def test_a_potential_can_be_of_whatever_is_observed_where_changes_are_not_seen(
    store: Store, run_id: str, make_run: Callable[..., str]
) -> None:
    page = AppTest.from_file(str(SHELL), default_timeout=60)
    page.run()
    page.query_params["run"] = make_run(task="hopper-backflip")
    page.query_params["view"] = "design"
    page.switch_page("reward_model.py").run()
    assert not page.exception
    (nearness,) = [one for one in page.selectbox if one.label == "Nearness is seen in"]
    names = PRESETS["hopper-backflip"].feature_names
    assert [option.split(" (")[0] for option in nearness.options] == list(names)
