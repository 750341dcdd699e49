"""Brings a database to the schema of this program.

An empty database is created as ``schema`` says and marked with every migration. An older one runs the
missing functions in order, each in its own transaction. One that knows a migration this program does not
know was written by a newer program and is left alone.
"""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from rlhf.errors import MigrationError
from rlhf.storage import schema
from rlhf.storage.engine import reading, writing

Migration = tuple[str, Callable[[sa.Connection], None]]


def _initial(connection: sa.Connection) -> None:
    """Do nothing: a database older than this one was never released."""


def _quality(connection: sa.Connection) -> None:
    """Add what is asked to learn about people, and what researchers decide about them."""
    connection.exec_driver_sql("ALTER TABLE queries ADD COLUMN asked_of VARCHAR(64)")
    connection.exec_driver_sql("ALTER TABLE queries ADD COLUMN again VARCHAR(64) REFERENCES queries (id)")
    connection.exec_driver_sql("CREATE INDEX queries_asked_of ON queries (asked_of, run_id)")
    connection.exec_driver_sql("CREATE INDEX answers_of_annotator ON answers (annotator_id, run_id, id)")
    schema.acts.create(connection)


def _demonstrations(connection: sa.Connection) -> None:
    """Add the table of demonstrations."""
    schema.demonstrations.create(connection)


MIGRATIONS: tuple[Migration, ...] = (
    ("0001_initial", _initial),
    ("0003_quality", _quality),
    ("0004_demonstrations", _demonstrations),
)


def pending(engine: sa.Engine, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Return the names of the migrations that ``migrate`` would run; writes nothing.

    Raises:
        MigrationError: the database was written by a newer program.
    """
    with reading(engine) as connection:
        return [name for name, _ in migrations if name not in _applied(connection, migrations)]


def migrate(engine: sa.Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create or upgrade the database; safe to call from several processes at once.

    Raises:
        MigrationError: the database was written by a newer program, or a migration failed and was undone.
    """
    with writing(engine) as connection:
        if not sa.inspect(connection).has_table(schema.migrations.name):
            schema.metadata.create_all(connection)
            for name, _ in migrations:
                _mark(connection, name)
            return
    for name, function in migrations:
        with writing(engine) as connection:
            if name in _applied(connection, migrations):
                continue
            try:
                function(connection)
            except sa.exc.SQLAlchemyError as error:
                raise MigrationError(f"migration {name} failed and was undone: {error}") from error
            _mark(connection, name)


def _applied(connection: sa.Connection, migrations: Sequence[Migration]) -> set[str]:
    if not sa.inspect(connection).has_table(schema.migrations.name):
        return set()
    applied = set(connection.scalars(sa.select(schema.migrations.c.name)))
    unknown = sorted(applied - {name for name, _ in migrations})
    if unknown:
        raise MigrationError(
            f"the database was written by a newer version of this program (it has {', '.join(unknown)}). "
            "Update the program, or set RLHF_DATA_DIR to another folder. Nothing was changed."
        )
    return applied


def _mark(connection: sa.Connection, name: str) -> None:
    connection.execute(schema.migrations.insert().values(name=name, applied_at=time.time()))
