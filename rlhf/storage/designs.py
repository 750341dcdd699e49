"""Rewards as researchers write them: append-only. The newest design of a run holds."""

import time

import sqlalchemy as sa

from rlhf.storage.schema import reward_designs
from rlhf.types.design import Design


def insert_design(connection: sa.Connection, run_id: str, design: Design, *, by: str, note: str) -> int:
    """Append a design and return its number.

    Args:
        connection: of a write transaction.
        run_id: whose reward it is.
        design: what is wanted from now on; an empty one takes back the one before.
        by: who wrote it.
        note: why, in words.
    """
    row = reward_designs.insert().values(
        run_id=run_id, at=time.time(), by=by, design=design.to_dict(), note=note
    )
    return int(connection.execute(row).inserted_primary_key[0])  # type: ignore[index]  # one row has one


def newest_design(connection: sa.Connection, run_id: str) -> tuple[int, Design]:
    """Return number and content of the design that holds; 0 and an empty one where there was none."""
    query = sa.select(reward_designs.c.id, reward_designs.c.design).where(reward_designs.c.run_id == run_id)
    row = connection.execute(query.order_by(reward_designs.c.id.desc()).limit(1)).first()
    return (0, Design()) if row is None else (int(row.id), Design.from_dict(row.design))


def list_designs(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return all designs of a run, the newest first."""
    query = sa.select(reward_designs).where(reward_designs.c.run_id == run_id)
    return list(connection.execute(query.order_by(reward_designs.c.id.desc())).mappings())
