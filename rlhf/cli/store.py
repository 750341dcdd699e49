"""The store that verbs work on: that of the environment's settings, brought up to date."""

import sqlalchemy as sa

from rlhf.config import Settings
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate


def open_database() -> sa.Engine:
    """Return the database.

    Raises:
        StorageError: it cannot be opened, or is of a newer version.
    """
    engine = open_engine(Settings.from_environment().database_url)
    migrate(engine)
    return engine


def open_store() -> tuple[sa.Engine, Blobs]:
    """Return the database and the arrays and clips beside it; see ``open_database``."""
    return open_database(), Blobs(Settings.from_environment().blob_url)
