"""The page *Demonstrate*, drawn without a browser: how a run starts from what it was shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.start_run import is_to_imitate
from rlhf.storage import demonstrations, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.run import RunState
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
LABEL = "Start by imitating these"


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pages open the test's store."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()


@pytest.fixture
def shown_run(store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]) -> str:
    """A run that has not begun and was shown one episode."""
    run_id = make_run()
    segment_id = make_segment(run_id)
    with writing(store.engine) as connection:
        demonstrations.insert_demonstration(
            connection,
            run_id,
            segment_id,
            source=DemonstrationSource.EXPERT,
            num_steps=3,
            terminated=True,
        )
    return run_id


def open_page(run_id: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.query_params["run"] = run_id
    page.switch_page("demonstrate.py").run()
    assert not page.exception
    return page


def row(store: Store, run_id: str) -> runs.RunRow:
    with reading(store.engine) as connection:
        return runs.get_run(connection, run_id)


def said(page: AppTest) -> str:
    return " ".join(one.value for one in page.caption)


def test_a_run_is_set_to_imitate_what_was_shown_and_started(store: Store, shown_run: str) -> None:
    page = open_page(shown_run)
    (toggle,) = page.toggle
    assert (toggle.label, toggle.value) == (LABEL, False)
    toggle.set_value(True).run()
    assert is_to_imitate(row(store, shown_run))
    page.toggle[0].set_value(False).run()
    assert not is_to_imitate(row(store, shown_run))
    page.toggle[0].set_value(True).run()
    page.button(key=f"start-{shown_run}").click().run()
    assert not page.exception
    assert row(store, shown_run)["wanted"] is RunState.RUNNING
    assert not page.toggle
    assert "starts by imitating 1 episode." in said(page)


def test_a_run_that_was_shown_nothing_cannot_start_by_imitating_it(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id = make_run(overrides={"demonstrations.clone": True})
    page = open_page(run_id)
    assert page.button(key=f"start-{run_id}").disabled
    page.toggle[0].set_value(False).run()
    assert not page.button(key=f"start-{run_id}").disabled


def test_a_run_that_has_begun_says_how_one_that_imitates_is_made(store: Store, shown_run: str) -> None:
    with writing(store.engine) as connection:
        runs.update_run(connection, shown_run, config={"seen": True}, state=RunState.PAUSED)
    page = open_page(shown_run)
    assert not page.toggle
    assert "*Show it first* on the Runs page" in said(page)


def test_a_run_that_is_shown_first_waits_and_is_set_to_imitate(store: Store) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.toggle(key="show_first").set_value(True).run()
    next(button for button in page.button if button.label == "Start Balance the pole").click().run()
    assert not page.exception
    with reading(store.engine) as connection:
        (run,) = runs.list_runs(connection)
    assert (run["state"], run["wanted"]) == (RunState.CREATED, RunState.PAUSED)
    assert is_to_imitate(run)
    assert page.toggle[0].value
    assert page.toggle[0].label == LABEL
