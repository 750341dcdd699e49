"""A database from before answers could be voided gains what filters and voids need, and keeps its rows."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rlhf.loop.void_answers import revert_change, void_answers
from rlhf.storage import answers, schema
from rlhf.storage.answer_search import AnswerFilter, find_answers
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate
from rlhf.types.feedback import QueryKind

OLD = Path(__file__).parent / "assets" / "before_data.sql"
"""A database of the first schema with three answers, one of them replaced."""


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "old.db"
    raw = sqlite3.connect(path)
    raw.executescript(OLD.read_text())
    raw.close()
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    yield engine
    engine.dispose()


def _run_id(engine: sa.Engine) -> str:
    with reading(engine) as connection:
        return str(connection.scalar(sa.select(schema.runs.c.id)))


def test_old_answers_can_be_searched(upgraded: sa.Engine) -> None:
    with reading(upgraded) as connection:
        (row,) = find_answers(connection, AnswerFilter(run_id=_run_id(upgraded), text="falls"), limit=9)
        kinds = connection.scalars(sa.select(schema.answers.c.query_kind).order_by(schema.answers.c.id)).all()
    assert (row["key"], row["search_text"]) == ("answer-01", "fast\nit falls")
    assert kinds == [QueryKind.AUDIT, QueryKind.ACTIVE, QueryKind.ACTIVE]


def test_old_answers_can_be_voided_and_restored(upgraded: sa.Engine) -> None:
    run_id = _run_id(upgraded)
    with reading(upgraded) as connection:
        before = answers.count_standing(connection, run_id)
    act = void_answers(upgraded, AnswerFilter(run_id=run_id), by="somebody", reason="old")
    assert act.num_answers == 2
    revert_change(upgraded, run_id, str(act.change_id), by="somebody")
    with reading(upgraded) as connection:
        assert answers.count_standing(connection, run_id) == before
