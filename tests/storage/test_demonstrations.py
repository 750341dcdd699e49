"""Demonstrations in the store."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage import demonstrations, schema
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import MIGRATIONS, migrate, pending
from rlhf.types.demonstration import DemonstrationSource
from rlhf.ui.store import Store


def add(store: Store, run_id: str, segment_id: str, **columns: object) -> str:
    values = {"source": DemonstrationSource.EXPERT, "num_steps": 3, "terminated": False}
    with writing(store.engine) as connection:
        return demonstrations.insert_demonstration(connection, run_id, segment_id, **(values | columns))  # type: ignore[arg-type]


def test_demonstrations_come_back_in_order_with_their_clips(
    store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]
) -> None:
    run_id = make_run()
    ids = [add(store, run_id, make_segment(run_id, drawn=drawn)) for drawn in (True, False)]
    with reading(store.engine) as connection:
        rows = demonstrations.list_demonstrations(connection, run_id)
    assert [row["id"] for row in rows] == ids
    assert [row["clip"] is not None for row in rows] == [True, False]


def test_voided_demonstration_stays_but_does_not_count_until_it_is_put_back(
    store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]
) -> None:
    run_id = make_run()
    demonstration_id = add(store, run_id, make_segment(run_id))
    for is_voided in (True, False):
        with writing(store.engine) as connection:
            demonstrations.set_voided(connection, demonstration_id, is_voided)
        with reading(store.engine) as connection:
            assert len(demonstrations.list_demonstrations(connection, run_id)) == 1
            assert len(demonstrations.list_valid(connection, run_id)) == (0 if is_voided else 1)


def test_unknown_demonstration_cannot_be_voided(store: Store) -> None:
    with pytest.raises(NotFoundError), writing(store.engine) as connection:
        demonstrations.set_voided(connection, "none", True)


def test_old_database_gets_the_table(tmp_path: pytest.TempPathFactory) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    name = "0004_demonstrations"
    older = [table for table in schema.metadata.sorted_tables if table.name != "demonstrations"]
    with writing(engine) as connection:
        schema.metadata.create_all(connection, tables=older)
        known = [{"name": n, "applied_at": 0.0} for n, _ in MIGRATIONS if n != name]
        connection.execute(schema.migrations.insert(), known)
    assert pending(engine) == [name]
    migrate(engine)
    columns = {column["name"] for column in sa.inspect(engine).get_columns("demonstrations")}
    engine.dispose()
    assert columns == set(schema.demonstrations.c.keys())
