"""Whole exports in memory: made, changed by a test, written with a manifest that fits them, brought in."""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rlhf.loop.export_answers import everything
from rlhf.loop.import_answers import Imported, import_answers
from rlhf.storage import schema
from rlhf.storage.archives import MANIFEST, Entry, with_manifest, write_folder
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

Files = dict[str, bytes]


def export(store: Store, run_id: str, **options: bool) -> Files:
    entries = everything(store.engine, store.blobs, run_id, **options)
    return {entry.name: b"".join(entry.chunks) for entry in entries}


def write(path: Path, files: Files, manifest: dict[str, Any] | None = None) -> Path:
    """Write files as they are, with a manifest that fits them."""
    about = json.loads(files[MANIFEST]) | (manifest or {})
    entries = (Entry(name=name, chunks=[data]) for name, data in files.items() if name != MANIFEST)
    del about["files"]
    write_folder(path, with_manifest(entries, about), force=False)
    return path


def bring(store: Store, path: Path, run_id: str) -> Imported:
    return import_answers(store.engine, store.blobs, path, run_id, by="tester")


def stored(store: Store) -> dict[str, int]:
    """Return how many rows each table holds."""
    with reading(store.engine) as connection:
        return {
            name: int(connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0)
            for name, found in schema.metadata.tables.items()
        }
