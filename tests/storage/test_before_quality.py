"""A database from before people were assessed becomes one of this program and keeps its rows."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rlhf.storage import answers, queries, schema
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate

OLD = Path(__file__).parent / "assets" / "before_quality.sql"


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.executescript(OLD.read_text(encoding="utf-8"))
    old.close()
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("table", ["queries", "answers", "acts"])
def test_it_has_the_columns_and_indices_of_a_new_one(upgraded: sa.Engine, table: str) -> None:
    inspector, wanted = sa.inspect(upgraded), schema.metadata.tables[table]
    assert {c["name"] for c in inspector.get_columns(table)} >= set(wanted.columns.keys())
    assert {i["name"] for i in inspector.get_indexes(table)} >= {index.name for index in wanted.indexes}


def test_its_answers_and_queries_are_kept(upgraded: sa.Engine) -> None:
    with reading(upgraded) as connection:
        (answer,) = answers.standing_answers(connection, "run")
        query = queries.get_query(connection, "query")
    assert answer["key"] == "key-0001"
    assert (query["asked_of"], query["again"]) == (None, None)


@pytest.mark.parametrize("index", ["queries_asked_of", "answers_of_annotator", "acts_on_subject"])
def test_its_indices_are_those_of_a_new_one(upgraded: sa.Engine, tmp_path: Path, index: str) -> None:
    new = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(new)

    def definition(engine: sa.Engine) -> str:
        with reading(engine) as connection:
            text = sa.text("SELECT sql FROM sqlite_master WHERE name = :name")
            return str(connection.scalar(text, {"name": index}))

    assert definition(upgraded) == definition(new)
    new.dispose()
