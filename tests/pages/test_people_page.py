"""The People page without a browser: what it shows, and that its buttons are lines in the log."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import acts
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.types.people import ActKind
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., str]


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


@pytest.fixture
def person(store: Store, run_id: str, make_query: Make, make_annotator: Make) -> str:
    """Somebody who has pressed left twenty times."""
    who = make_annotator()
    for index in range(20):
        answer = Answer(
            key=f"answer-{index:04}",
            query_id=make_query(run_id),
            choice=Choice.LEFT,
            shown_at=10.0 * index,
            answered_at=10.0 * index + 2.5,
        )
        record_answer(store.engine, run_id, who, answer)
    return who


def open_page(run_id: str | None = None) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
    page.run()
    if run_id is not None:
        page.query_params["run"] = run_id
    page.switch_page("people.py").run()
    assert not page.exception
    return page


def held(store: Store, run_id: str, kind: ActKind, person: str) -> object:
    with reading(store.engine) as connection:
        return acts.holds(connection, run_id, kind, person)


def test_it_explains_itself_without_a_run_and_without_answers(make_run: Make) -> None:
    assert "Nobody" in open_page().title[0].value
    assert "Nobody has answered yet" in open_page(make_run()).info[0].value


def test_it_shows_who_answers_and_what_stands_out(run_id: str, person: str) -> None:
    page = open_page(run_id)
    shown = {metric.label: metric.value for metric in page.metric}
    assert (shown["People"], shown["Answers"]) == ("1", "20")
    row = page.dataframe[0].value.iloc[0]
    assert (row["Person"], row["Left"], row["Seconds"]) == ("Annotator", 100.0, 2.5)
    assert page.warning[0].value == "One person stands out."
    assert "Presses left" in page.text[0].value


def test_pausing_resuming_and_taking_back(store: Store, run_id: str, person: str) -> None:
    page = open_page(run_id)
    page.text_input[0].set_value("always left")
    page.button(key=f"pause-{person}").click().run()
    assert held(store, run_id, ActKind.PAUSE, person) is True
    assert page.dataframe[0].value.iloc[0]["Standing"] == "paused"
    page.button(key=f"resume-{person}").click().run()
    assert held(store, run_id, ActKind.PAUSE, person) is False
    with reading(store.engine) as connection:
        newest, first = acts.list_acts(connection, run_id)
    assert first["reason"] == "always left"
    assert all(button.key != f"undo-{first['id']}" for button in page.button)
    page.button(key=f"undo-{newest['id']}").click().run()
    assert held(store, run_id, ActKind.PAUSE, person) is True
    assert sum("Researcher" in line.value for line in page.text) == 3


def test_weighing_is_one_click_and_so_is_undoing_it(store: Store, run_id: str, person: str) -> None:
    page = open_page(run_id)
    assert page.button(key=f"weigh-{person}").disabled
    page.slider[0].set_value(0.25).run()
    page.button(key=f"weigh-{person}").click().run()
    assert held(store, run_id, ActKind.WEIGHT, person) == 0.25
    assert page.slider[0].value == 0.25
    page.button(key="undo-1").click().run()
    assert held(store, run_id, ActKind.WEIGHT, person) == 1.0
    assert page.slider[0].value == 1.0


def test_a_pair_is_marked_as_gold_and_unmarked(store: Store, run_id: str, person: str) -> None:
    page = open_page(run_id)
    page.toggle[0].set_value(True).run()
    pair = page.selectbox[1].value
    page.segmented_control[0].set_value("left").run()
    page.button(key=f"gold-mark-{pair}").click().run()
    assert not page.exception
    assert held(store, run_id, ActKind.GOLD, pair) == "left"
    assert page.dataframe[0].value.iloc[0]["Gold right"] == "1 of 1"
    page.button(key="undo-1").click().run()
    assert held(store, run_id, ActKind.GOLD, pair) is None
