"""*Replays* says what looking ahead would bring, drawn without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.storage import foresights, jobs, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState
from rlhf.ui.foresight_view import in_words
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
FOUND = {
    "with": [12.0, 11.0, 13.0],
    "alone": [10.0, 10.0, 10.0],
    "predicted_with": [3.0, 4.0, 5.0],
    "predicted_alone": [2.0, 2.0, 2.0],
    "gain": {"mean": 1.5, "low": 0.5, "high": 2.5},
    "difference": 2.0,
    "overruled": 0.25,
    "held_out_error": 0.031,
    "not_drawn": "it cannot be drawn.",
}


@pytest.fixture
def run_id(store: Store, taught_run: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run, in the store that the pages open."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()
    return taught_run


def open_page(run_id: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.query_params["run"] = run_id
    page.switch_page("replays.py").run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def job_state(store: Store, run_id: str) -> JobState:
    with reading(store.engine) as connection:
        job = jobs.find(connection, JobKind.FORESEE, run_id)
    assert job is not None
    state: JobState = job["state"]
    return state


def test_it_is_ordered_and_stopped(store: Store, run_id: str) -> None:
    page = open_page(run_id)
    press(page, "Look ahead")
    assert job_state(store, run_id) is JobState.WAITING
    assert "Look ahead" not in labels(page)
    press(page, "Stop")
    assert job_state(store, run_id) is JobState.DONE
    assert "Look ahead" in labels(page)


def test_what_was_found_is_said_and_can_be_measured_again(store: Store, run_id: str) -> None:
    with writing(store.engine) as connection:
        foresights.begin(connection, run_id)
        foresights.finish(connection, run_id, FOUND, None)
    page = open_page(run_id)
    assert any(one.value.startswith("It would help: +1.5 by the learned reward") for one in page.markdown)
    assert "There is nothing to watch: it cannot be drawn." in [caption.value for caption in page.caption]
    assert "Measure again" in labels(page)


def test_why_it_failed_is_said_and_what_was_found_before_stays(store: Store, run_id: str) -> None:
    with writing(store.engine) as connection:
        foresights.begin(connection, run_id)
        foresights.finish(connection, run_id, FOUND, None)
    page = open_page(run_id)
    press(page, "Measure again")
    with writing(store.engine) as connection:
        job = jobs.claim(connection, (JobKind.FORESEE,), "one")
        assert job is not None
        jobs.release(connection, job["id"], "one", JobState.FAILED, "Trace\nrlhf.errors.JobError: no reward")
    page.run()
    assert page.error[0].value == "It could not be measured: no reward"
    assert any("It would help" in one.value for one in page.markdown)


def test_it_cannot_be_ordered_before_there_is_a_reward(store: Store, run_id: str) -> None:
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, reward_version=0)
    button = next(one for one in open_page(run_id).button if one.label == "Look ahead")
    assert button.disabled
    assert "learned a reward" in button.help


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        ((-2.0, -3.0, -1.0), "It would harm: \N{MINUS SIGN}2 "),
        ((0.0, -1.0, 1.0), "It would make no clear difference"),
    ],
)
def test_the_verdict_goes_by_the_interval(gain: tuple[float, ...], verdict: str) -> None:
    found = FOUND | {"gain": dict(zip(("mean", "low", "high"), gain, strict=True)), "difference": None}
    said = in_words(found)
    assert said.startswith(verdict)
    assert "otherwise in 25% of the steps" in said
    assert "True return" not in said
