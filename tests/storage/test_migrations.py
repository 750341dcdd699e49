"""A database of any age becomes one of this program, or stays exactly as it was."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import MigrationError
from rlhf.storage import answers, designs, models, origins, people, queries, rankings, ratings, runs, schema
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import MIGRATIONS, migrate, pending
from rlhf.types.design import Design
from rlhf.ui.store import Store


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without any table."""
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    yield engine
    engine.dispose()


def _dump(engine: sa.Engine) -> list[object]:
    """Everything in a database: its tables and the rows that say what was applied."""
    with reading(engine) as connection:
        tables = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").all()
        return [*tables, *connection.execute(sa.select(schema.migrations)).all()]


def _add_colour(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN colour TEXT DEFAULT 'red'")


def _fail_half_way(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE half_done (id INTEGER)")
    connection.exec_driver_sql("UPDATE runs SET message = 'changed'")
    connection.exec_driver_sql("SELECT * FROM no_such_table")


def test_fresh_database_gets_every_table(empty: sa.Engine) -> None:
    migrate(empty)
    assert set(sa.inspect(empty).get_table_names()) == set(schema.metadata.tables)


def test_fresh_database_needs_no_migration_afterwards(empty: sa.Engine) -> None:
    assert pending(empty) == [name for name, _ in MIGRATIONS]
    migrate(empty)
    assert pending(empty) == []


def test_migrating_twice_changes_nothing(empty: sa.Engine) -> None:
    migrate(empty)
    before = _dump(empty)
    migrate(empty)
    assert _dump(empty) == before


def test_names_of_migrations_are_in_order_and_unique() -> None:
    names = [name for name, _ in MIGRATIONS]
    assert names == sorted(set(names))


CREATE = """
import sys, time
from pathlib import Path
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate
print("imported", flush=True)
for folder in sys.argv[1:]:
    while not Path(folder).exists():
        time.sleep(0.0005)
    migrate(open_engine(f"sqlite:///{folder}/shared.db"))
    print("done", flush=True)
"""


def test_processes_that_start_together_create_it_once(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(20)]
    command = [sys.executable, "-c", CREATE, *map(str, folders)]
    with contextlib.ExitStack() as stack:
        outputs = []
        for _ in range(4):
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=PROJECT_ROOT, env=child_environment(), stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            outputs.append(process.stdout)
        assert [output.readline() for output in outputs] == ["imported\n"] * 4
        for folder in folders:
            folder.mkdir()
            assert [output.readline() for output in outputs] == ["done\n"] * 4
    for folder in folders:
        engine = open_engine(f"sqlite:///{folder / 'shared.db'}")
        with reading(engine) as connection:
            names = connection.scalars(sa.select(schema.migrations.c.name)).all()
        engine.dispose()
        assert sorted(names) == [name for name, _ in MIGRATIONS]


def test_database_of_a_newer_program_is_left_alone(store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema.migrations.insert().values(name="9999_future", applied_at=0.0))
    before = _dump(store.engine)
    with pytest.raises(MigrationError, match="9999_future"):
        migrate(store.engine, (*MIGRATIONS, ("0002_colour", _add_colour)))
    assert _dump(store.engine) == before


def test_pending_also_notices_a_newer_program(store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema.migrations.insert().values(name="9999_future", applied_at=0.0))
    with pytest.raises(MigrationError, match="newer"):
        pending(store.engine)


def test_old_database_is_upgraded_and_keeps_its_rows(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    migrate(store.engine, (*MIGRATIONS, ("0002_colour", _add_colour)))
    with reading(store.engine) as connection:
        rows = connection.exec_driver_sql("SELECT id, colour FROM runs").all()
    assert [tuple(row) for row in rows] == [(run_id, "red")]


def test_database_without_rankings_and_ratings_gets_them(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        for table in (schema.rankings, schema.ratings):
            table.drop(connection)
        name = "0006_query_forms"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with reading(store.engine) as connection:
        assert [row["id"] for row in runs.list_runs(connection)] == [run_id]
        assert rankings.list_rankings(connection, run_id) == []
        assert ratings.list_standing_ratings(connection, run_id) == []


def test_database_without_replays_gets_them(store: Store, make_segment: Callable[..., str]) -> None:
    with writing(store.engine) as connection:
        schema.replays.drop(connection)
        connection.exec_driver_sql("ALTER TABLE segments DROP COLUMN strip")
        name = "0007_replays"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with writing(store.engine) as connection:
        run_id = runs.insert_run(
            connection, task="t", goal="g", seed=0, teacher=None, overrides={}, total_steps=1
        )
        models.insert_replay(connection, run_id, 1, 2)
    with reading(store.engine) as connection:
        assert models.find_replay(connection, run_id, 1, 2) is not None
        assert models.CLIP[-1].name == "strip"


def test_database_without_origins_gets_them(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        schema.origins.drop(connection)
        name = "0009_origins"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with reading(store.engine) as connection:
        assert [row["id"] for row in runs.list_runs(connection)] == [run_id]
        assert origins.find_origin(connection, run_id) is None


def test_database_without_reward_designs_gets_them(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        schema.reward_designs.drop(connection)
        name = "0010_reward_designs"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with reading(store.engine) as connection:
        assert [row["id"] for row in runs.list_runs(connection)] == [run_id]
        assert designs.newest_design(connection, run_id) == (0, Design())


def test_each_migration_runs_once(store: Store) -> None:
    calls: list[str] = []
    more = (*MIGRATIONS, ("0002_count", lambda connection: calls.append("0002_count")))
    migrate(store.engine, more)
    migrate(store.engine, more)
    assert calls == ["0002_count"]


def test_failed_migration_is_undone(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    more = (*MIGRATIONS, ("0002_half", _fail_half_way))
    before = _dump(store.engine)
    with pytest.raises(MigrationError, match="0002_half"):
        migrate(store.engine, more)
    assert _dump(store.engine) == before
    with reading(store.engine) as connection:
        assert runs.get_run(connection, run_id)["message"] == "Not started yet."
    assert pending(store.engine, more) == ["0002_half"]


def test_those_before_a_failed_migration_stay_and_those_after_wait(store: Store) -> None:
    more = (
        *MIGRATIONS,
        ("0002_colour", _add_colour),
        ("0003_half", _fail_half_way),
        ("0004_never", lambda connection: pytest.fail("it must not run")),
    )
    with pytest.raises(MigrationError, match="0003_half"):
        migrate(store.engine, more)
    assert pending(store.engine, more) == ["0003_half", "0004_never"]


OLDEST = Path(__file__).parent / "assets" / "0001_initial.sql"


@pytest.fixture
def oldest(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database of the first program, with a run, two pairs, a person, a teacher and an answer."""
    path = tmp_path / "oldest.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDEST.read_text(encoding="utf-8"))
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def _shape(engine: sa.Engine) -> dict[str, object]:
    """Columns, indices and unique constraints of every table, in no order."""
    inspector = sa.inspect(engine)
    shape: dict[str, object] = {}
    for table in inspector.get_table_names():
        columns = {
            c["name"]: (str(c["type"]), c["nullable"] and not c["primary_key"])
            for c in inspector.get_columns(table)
        }
        unique = {(*c["column_names"],) for c in inspector.get_unique_constraints(table)}
        indices = {
            (*i["column_names"], bool(i["unique"]), str(i.get("dialect_options", {}).get("sqlite_where")))
            for i in inspector.get_indexes(table)
        }
        shape[table] = (columns, unique, indices)
    return shape


def test_the_oldest_database_gets_the_shape_of_a_fresh_one(oldest: sa.Engine, store: Store) -> None:
    migrate(oldest)
    assert _shape(oldest) == _shape(store.engine)


def test_the_oldest_database_keeps_its_answers_and_still_asks_nobody_to_sign_in(oldest: sa.Engine) -> None:
    migrate(oldest)
    with reading(oldest) as connection:
        (answer,) = answers.standing_answers(connection, "pendulum-swingup-000000")
        (waiting,) = queries.list_open(connection, "pendulum-swingup-000000")
        assert not people.is_anybody_known(connection)
    assert (answer["annotator_id"], waiting["wanted_answers"]) == ("c" * 32, 1)
