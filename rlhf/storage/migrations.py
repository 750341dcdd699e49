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
from rlhf.storage.answers import searchable
from rlhf.storage.engine import reading, writing

_PORTION = 5000
Migration = tuple[str, Callable[[sa.Connection], None]]


def _initial(connection: sa.Connection) -> None:
    """Do nothing: a database older than this one was never released."""


_PEOPLE = (
    "ALTER TABLE queries ADD COLUMN wanted_answers INTEGER DEFAULT 1 NOT NULL",
    "ALTER TABLE annotators ADD COLUMN role VARCHAR(16)",
    "ALTER TABLE annotators ADD COLUMN labels_all_runs BOOLEAN DEFAULT false NOT NULL",
    "ALTER TABLE annotators ADD COLUMN subject VARCHAR(300)",
    "CREATE UNIQUE INDEX annotators_subject ON annotators (subject)",
    """CREATE TABLE annotator_runs (
        annotator_id VARCHAR(64) NOT NULL REFERENCES annotators (id),
        run_id VARCHAR(64) NOT NULL REFERENCES runs (id),
        PRIMARY KEY (annotator_id, run_id)
    )""",
    """CREATE TABLE invitations (
        id VARCHAR(64) NOT NULL PRIMARY KEY,
        token_hash VARCHAR(64) NOT NULL,
        role VARCHAR(16),
        run_id VARCHAR(64) REFERENCES runs (id),
        annotator_id VARCHAR(64) REFERENCES annotators (id),
        created_by VARCHAR(64) REFERENCES annotators (id),
        created_at FLOAT NOT NULL,
        expires_at FLOAT NOT NULL,
        revoked_at FLOAT,
        max_uses INTEGER,
        uses INTEGER NOT NULL,
        UNIQUE (token_hash)
    )""",
    """CREATE TABLE sign_ins (
        token_hash VARCHAR(64) NOT NULL PRIMARY KEY,
        annotator_id VARCHAR(64) NOT NULL REFERENCES annotators (id),
        created_at FLOAT NOT NULL,
        expires_at FLOAT NOT NULL
    )""",
    "CREATE INDEX sign_ins_of ON sign_ins (annotator_id)",
)


def _people(connection: sa.Connection) -> None:
    """Add roles, invitations and sign-ins, and how many people a query is asked of."""
    for statement in _PEOPLE:
        connection.exec_driver_sql(statement)


def _quality(connection: sa.Connection) -> None:
    """Add what is asked to learn about people, and what researchers decide about them."""
    connection.exec_driver_sql("ALTER TABLE queries ADD COLUMN asked_of VARCHAR(64)")
    connection.exec_driver_sql("ALTER TABLE queries ADD COLUMN again VARCHAR(64) REFERENCES queries (id)")
    connection.exec_driver_sql(
        "CREATE INDEX queries_asked_of ON queries (asked_of, run_id) WHERE asked_of IS NOT NULL"
    )
    schema.acts.create(connection)


def _demonstrations(connection: sa.Connection) -> None:
    """Add the table of demonstrations."""
    schema.demonstrations.create(connection)


def _data(connection: sa.Connection) -> None:
    """Let researchers void and restore answers, and filter many of them quickly."""
    answers = schema.answers
    schema.answer_changes.create(connection)
    for column in (answers.c.query_kind, answers.c.search_text):
        kind = column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE answers ADD COLUMN {column.name} {kind}")
    connection.exec_driver_sql(
        "ALTER TABLE answers ADD COLUMN change_id VARCHAR(64) REFERENCES answer_changes (id)"
    )
    kind_of_query = sa.select(schema.queries.c.kind).where(schema.queries.c.id == answers.c.query_id)
    connection.execute(answers.update().values(query_kind=kind_of_query.scalar_subquery()))
    last = 0
    while rows := connection.execute(
        sa.select(answers.c.id, answers.c.details)
        .where(answers.c.id > last)
        .order_by(answers.c.id)
        .limit(_PORTION)
    ).all():
        last = rows[-1].id
        said = [{"b_id": row.id, "b_text": searchable(row.details)} for row in rows]
        if said := [row for row in said if row["b_text"]]:
            changed = answers.update().where(answers.c.id == sa.bindparam("b_id"))
            connection.execute(changed.values(search_text=sa.bindparam("b_text")), said)
    for name in ("answers_of_run", "answers_superseded"):
        connection.exec_driver_sql(f"DROP INDEX {name}")
    names = ("to_filter", "of_person", "with_text", "of_change", "superseded")
    for index in answers.indexes:
        if str(index.name).removeprefix("answers_") in names:
            index.create(connection)


def _query_forms(connection: sa.Connection) -> None:
    """Add rankings of several clips and ratings of one."""
    schema.rankings.create(connection)
    schema.ratings.create(connection)


def _replays(connection: sa.Connection) -> None:
    """Add pictures of whole episodes, and episodes of saved policies from a start of choice."""
    schema.replays.create(connection)
    connection.exec_driver_sql("ALTER TABLE segments ADD COLUMN strip VARCHAR(80)")


def _behaviour_maps(connection: sa.Connection) -> None:
    """Add maps of behaviour, and find the segments of a run without reading those of all."""
    schema.behaviour_maps.create(connection)
    for index in schema.segments.indexes:
        index.create(connection)


def _origins(connection: sa.Connection) -> None:
    """Add what runs took from others when they were made."""
    schema.origins.create(connection)


def _reward_designs(connection: sa.Connection) -> None:
    """Add rewards as researchers write them."""
    schema.reward_designs.create(connection)


def _source_rankings(connection: sa.Connection) -> None:
    """Add comparisons of saved policies as sources for a task."""
    schema.source_rankings.create(connection)


def _foresights(connection: sa.Connection) -> None:
    """Add what looking ahead would bring runs."""
    schema.foresights.create(connection)


MIGRATIONS: tuple[Migration, ...] = (
    ("0001_initial", _initial),
    ("0002_people", _people),
    ("0003_quality", _quality),
    ("0004_demonstrations", _demonstrations),
    ("0005_data", _data),
    ("0006_query_forms", _query_forms),
    ("0007_replays", _replays),
    ("0008_behaviour_maps", _behaviour_maps),
    ("0009_origins", _origins),
    ("0010_reward_designs", _reward_designs),
    ("0011_source_rankings", _source_rankings),
    ("0012_foresights", _foresights),
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
