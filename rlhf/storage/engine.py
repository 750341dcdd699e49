"""Opens the database and hands out read and write transactions.

SQLite in WAL mode, so that pages read while the trainer writes; every commit is synced to the disk, so
that an acknowledged answer survives a power cut. PostgreSQL works through the same URL setting.
"""

import contextlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rlhf.errors import StorageError

BUSY_TIMEOUT_S = 30.0
_RETRY_S = 0.005
_READ_ONLY = "rlhf_read_only"
_IS_DURABLE = "rlhf_is_durable"
_UNUSABLE = (sa.exc.OperationalError, sa.exc.DatabaseError)
"""Full, locked or gone; damaged or no database. Other kinds of DatabaseError are mistakes in a statement."""
_TURNS: "weakref.WeakKeyDictionary[sa.Engine, threading.Lock]" = weakref.WeakKeyDictionary()
"""Whose turn it is to write, among the threads of this process. SQLite lets whoever waits try again every now
and then, so that under many writers some wait for seconds while newcomers get in."""


def open_engine(url: str) -> sa.Engine:
    """Return an engine for a SQLAlchemy URL; makes the folder of a SQLite file.

    Raises:
        StorageError: the URL cannot be understood or its folder cannot be made.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return sa.create_engine(parsed, pool_pre_ping=True)
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    except (sa.exc.ArgumentError, ModuleNotFoundError, OSError) as error:
        raise StorageError(
            f"the database {url!r} cannot be opened: {error}. Set RLHF_DATABASE_URL to a URL such as "
            "sqlite:////path/to/rlhf.db or postgresql+psycopg://user@host/name."
        ) from error
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    _TURNS[engine] = threading.Lock()
    return engine


@contextlib.contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection that sees one consistent state and takes no write lock.

    Raises:
        StorageError: the database cannot be read.
    """
    try:
        with engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        if type(error) not in _UNUSABLE:
            raise
        raise StorageError(f"the database could not be read: {error.orig}.") from error


@contextlib.contextmanager
def writing(engine: sa.Engine, *, is_durable: bool = True) -> Iterator[sa.Connection]:
    """Give a connection in a write transaction; commits on success, rolls back on any error.

    Keep it short: on SQLite nobody else can write meanwhile.

    Args:
        engine: of the store.
        is_durable: whether what is written survives a power cut. Without, SQLite does not wait for the disk;
            for what is worth nothing after one.

    Raises:
        StorageError: the disk is full or the database cannot be written.
    """
    try:
        chosen = engine.execution_options(**{_IS_DURABLE: is_durable})
        with _turn(engine), chosen.begin() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        if type(error) not in _UNUSABLE:
            raise
        raise StorageError(
            f"the database could not be written: {error.orig}. Nothing was changed."
        ) from error


@contextlib.contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """Wait until no other thread of this process writes; other processes are the database's to keep apart."""
    lock = _TURNS.get(engine)
    if lock is None:
        yield
        return
    if not lock.acquire(timeout=BUSY_TIMEOUT_S):
        raise StorageError(f"the database was busy for {BUSY_TIMEOUT_S:g} s. Nothing was changed.")
    try:
        yield
    finally:
        lock.release()


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    _enter_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Turn WAL mode on; waits where SQLite does not.

    Only the first connection to a new file changes anything. SQLite refuses the others that try meanwhile at
    once, whatever the connection's timeout: two that hold a read lock and want the write lock would wait for
    each other for ever.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_RETRY_S)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A write takes the lock at once: upgrading a read lock later can fail as busy without waiting.
    options = connection.get_execution_options()
    if options.get(_READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get(_IS_DURABLE, True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
