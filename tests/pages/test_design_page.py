"""The reward model's page of a run whose reward is a design that nobody has answered about."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.iterate import iterate
from rlhf.loop.session import open_session
from rlhf.loop.write_design import write_design
from rlhf.types.design import Design, Term
from rlhf.ui.store import Store, open_store

SHELL = Path(__file__).resolve().parents[2] / "pages" / "_shell.py"
SMALL = {
    "collect.num_envs": 2,
    "collect.explore_steps": 400,
    "ppo.num_steps": 32,
    "ppo.num_epochs": 1,
    "ppo.hidden": "8",
    "schedule.total_steps": 10_000,
}


@pytest.fixture
def run_id(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()
    run_id = make_run(overrides=SMALL, total_steps=10_000)
    design = Design(terms=(Term(feature="cosine of angle", weight=1.0),))
    write_design(store.engine, store.blobs, run_id, design, by=None)
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)
    session.close()
    return run_id


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
