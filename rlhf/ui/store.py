"""The web process's one connection to the store."""

import dataclasses
import functools

import sqlalchemy as sa

from rlhf.config import Settings
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Store:
    """Where everything is kept."""

    settings: Settings
    engine: sa.Engine
    blobs: Blobs


@functools.cache
def open_store() -> Store:
    """Open the store named by the environment, creating or upgrading the database; once per process.

    Raises:
        ConfigError, StorageError, MigrationError: see their own text; nothing was changed.
    """
    settings = Settings.from_environment()
    engine = open_engine(settings.database_url)
    migrate(engine)
    return Store(settings=settings, engine=engine, blobs=Blobs(settings.blob_url))
