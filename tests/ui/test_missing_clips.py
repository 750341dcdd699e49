"""Clips of pairs that a teacher answered without looking are drawn when somebody wants to see them."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import queries, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.ui.store import Store, open_store

Make = Callable[..., Any]
PAGE = """
import streamlit as st
from rlhf.storage import answer_search
from rlhf.storage.engine import reading
from rlhf.ui.missing_clips import offer_to_draw
from rlhf.ui.store import open_store

engine, keys = open_store().engine, ("answer-0000", "answer-0001")
with reading(engine) as connection:
    rows = [answer_search.get_answer(connection, st.query_params["run"], key) for key in keys]
offer_to_draw(engine, rows, key="draw")
"""


@pytest.fixture
def page(
    store: Store,
    make_run: Make,
    make_segment: Make,
    make_query: Make,
    make_annotator: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[bool], AppTest]:
    """``page(drawn)`` lists two answered pairs; the clips of one are drawn, those of the other if said so."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()

    def make(drawn: bool) -> AppTest:
        run_id, person = make_run(), make_annotator()
        left, right = make_segment(run_id, drawn=drawn), make_segment(run_id, drawn=drawn)
        with writing(store.engine) as connection:
            other = queries.insert_query(
                connection,
                run_id,
                left_id=left,
                right_id=right,
                kind=QueryKind.ACTIVE,
                score=None,
                predicted=None,
                policy_version=1,
                reward_version=1,
            )
        for index, query_id in enumerate((make_query(run_id), other)):
            answer = Answer(key=f"answer-{index:04}", query_id=query_id, choice=Choice.LEFT)
            record_answer(store.engine, run_id, person, answer)
        page = AppTest.from_string(PAGE, default_timeout=20)
        page.query_params["run"] = run_id
        return page.run()

    return make


def jobs_to_draw(store: Store) -> int:
    with reading(store.engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(schema.jobs)) or 0


def test_missing_clips_are_drawn_for_whoever_asks(store: Store, page: Callable[[bool], AppTest]) -> None:
    shown = page(False)
    assert shown.caption[0].value.startswith("The clips of 1 of these pairs have not been drawn")
    assert jobs_to_draw(store) == 0
    shown.button(key="draw").click().run()
    assert not shown.exception
    assert jobs_to_draw(store) == 2


def test_nothing_is_said_where_no_clip_is_missing(page: Callable[[bool], AppTest]) -> None:
    shown = page(True)
    assert not shown.exception
    assert len(shown.caption) == 0
    assert len(shown.button) == 0
