"""The win rate on the pages that show it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import models
from rlhf.storage.engine import writing
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store, open_store
from rlhf.ui.win_rate import view_win_rate

Make = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run_id(store: Store, make_run: Make, make_segment: Make, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with policies 0, 5 and 9, recorded."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()
    made: str = make_run()
    replay_id = make_segment(made)
    with writing(store.engine) as connection:
        for version in (0, 5, 9):
            facts: dict[str, Any] = {"steps": 100 * version, "reward_version": 0, "num_answers": 0}
            models.insert_policy_version(connection, made, version, arrays="none", **facts)
            models.set_evaluation(connection, made, version, replay_id=replay_id, evaluation={})
    return made


def captions(name: str, run_id: str) -> list[str]:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.query_params["run"] = run_id
    page.switch_page(name).run()
    assert not page.exception
    return [caption.value for caption in page.caption]


def prefer_newer(
    store: Store, run_id: str, pairs: list[str], person: str, choice: Choice = Choice.LEFT
) -> None:
    for query_id in pairs:
        given = Answer(key=f"key-{query_id[:12]}", query_id=query_id, choice=choice)
        record_answer(store.engine, run_id, person, given)


@pytest.mark.parametrize("name", ["training.py", "replays.py"])
def test_page_says_how_often_people_prefer_the_newer_one(
    store: Store, run_id: str, make_blind_pair: Make, make_annotator: Make, name: str
) -> None:
    assert any(text.startswith("Appears once") for text in captions(name, run_id))
    pairs = [make_blind_pair(run_id, 5, 0), make_blind_pair(run_id, 9, 5)]
    prefer_newer(store, run_id, pairs, make_annotator())
    assert any(text.startswith("100% (34%–100%) of 2 blind pairs.") for text in captions(name, run_id))


def test_the_curve_has_a_point_for_each_compared_policy(
    store: Store, run_id: str, make_blind_pair: Make, make_annotator: Make
) -> None:
    person = make_annotator()
    prefer_newer(store, run_id, [make_blind_pair(run_id, 5, 0) for _ in range(3)], person)
    prefer_newer(store, run_id, [make_blind_pair(run_id, 9, 5)], person, Choice.RIGHT)
    points = view_win_rate(store.engine, run_id)
    assert points["steps"].tolist() == [500, 900]
    assert points["share"].tolist() == [1.0, 0.75]
    assert (points["low"] < points["share"]).all()
