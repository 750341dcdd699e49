"""The Training page without a browser: what of a run's world can be changed, and what that does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.storage import runs
from rlhf.storage.engine import reading, writing
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., str]


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the page open the test's store."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()


def open_page(run_id: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
    page.run()
    page.query_params["run"] = run_id
    page.switch_page("training.py").run()
    assert not page.exception
    return page


def world_of(store: Store, run_id: str) -> str:
    with reading(store.engine) as connection:
        return str(runs.get_run(connection, run_id)["task"])


def test_the_world_is_changed_by_sliders_and_back_by_a_button(store: Store, make_run: Make) -> None:
    run_id = make_run()
    page = open_page(run_id)
    key = f"world-{run_id}-pendulum-swingup"
    assert page.button(key=f"{key}-do").disabled
    assert [slider.label for slider in page.slider] == ["Gravity", "Mass"]
    page.slider(key=f"{key}-gravity").set_value(14.1372).run()
    page.button(key=f"{key}-do").click().run()
    assert not page.exception
    assert world_of(store, run_id) == "pendulum-swingup+gravity=14.1"
    key = f"world-{run_id}-pendulum-swingup+gravity=14.1"
    assert page.slider(key=f"{key}-gravity").value == 14.1
    assert page.button(key=f"{key}-do").disabled
    page.button(key=f"{key}-undo").click().run()
    assert world_of(store, run_id) == "pendulum-swingup"
    with reading(store.engine) as connection:
        kinds = [event["kind"] for event in runs.list_events(connection, run_id)]
    assert kinds.count("world") == 2


def test_a_world_that_cannot_change_says_why(store: Store, make_run: Make) -> None:
    run_id = make_run(task="lunarlander-land")
    page = open_page(run_id)
    key = f"world-{run_id}-lunarlander-land"
    page.slider(key=f"{key}-wind").set_value(12.0).run()
    page.button(key=f"{key}-do").click().run()
    assert "cannot change under a run" in page.error[0].value
    assert world_of(store, run_id) == "lunarlander-land"


def test_nothing_can_be_changed_about_a_finished_run(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, steps=1000)
    assert not open_page(run_id).slider
