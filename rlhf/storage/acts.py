"""What researchers decided about people and pairs: append-only. The newest act on a subject holds.

Nothing is ever taken out: who wants the state before back adds an act that says so.
"""

import time
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import acts
from rlhf.types.people import ActKind


def insert_act(
    connection: sa.Connection,
    run_id: str,
    kind: ActKind,
    subject: str,
    value: bool | float | str | None,
    *,
    by: str,
    reason: str,
) -> int:
    """Append an act and return its number.

    Args:
        connection: of a write transaction.
        run_id: the run that it concerns.
        kind: what is decided.
        subject: id of the person, or for GOLD of the query.
        value: see ``ActKind``.
        by: who decided.
        reason: why, in words.
    """
    row = acts.insert().values(
        run_id=run_id, at=time.time(), by=by, kind=kind, subject=subject, value=value, reason=reason
    )
    return int(connection.execute(row).inserted_primary_key[0])  # type: ignore[index]  # one row has one


def get_act(connection: sa.Connection, act_id: int) -> sa.RowMapping:
    """Return one act.

    Raises:
        NotFoundError: there is no such act.
    """
    row = connection.execute(sa.select(acts).where(acts.c.id == act_id)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no act number {act_id}.")
    return row


def list_acts(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return all acts of a run, the newest first."""
    query = sa.select(acts).where(acts.c.run_id == run_id).order_by(acts.c.id.desc())
    return list(connection.execute(query).mappings())


def holding(connection: sa.Connection, run_id: str, kind: ActKind) -> dict[str, Any]:
    """Return by subject what was last decided; subjects about whom nothing was are left out."""
    query = sa.select(acts.c.subject, acts.c.value).where(acts.c.run_id == run_id, acts.c.kind == kind)
    return {row[0]: row[1] for row in connection.execute(query.order_by(acts.c.id))}


def gold_queries(connection: sa.Connection, run_id: str) -> set[str]:
    """Return the queries whose right answer is known: they measure people, and nothing is learned of them."""
    return {query for query, choice in holding(connection, run_id, ActKind.GOLD).items() if choice}


def holds(
    connection: sa.Connection, run_id: str, kind: ActKind, subject: str, *, before: int | None = None
) -> Any:
    """Return what was last decided about one subject (before act number ``before``), or the default."""
    query = sa.select(acts.c.value).where(
        acts.c.run_id == run_id, acts.c.kind == kind, acts.c.subject == subject
    )
    if before is not None:
        query = query.where(acts.c.id < before)
    row = connection.execute(query.order_by(acts.c.id.desc()).limit(1)).first()
    return kind.default if row is None else row[0]


def last_id(connection: sa.Connection, run_id: str, kinds: Collection[ActKind]) -> int:
    """Return the number of a run's newest act of some kinds; 0 when there is none."""
    query = sa.select(sa.func.max(acts.c.id)).where(acts.c.run_id == run_id, acts.c.kind.in_(kinds))
    return int(connection.scalar(query) or 0)
