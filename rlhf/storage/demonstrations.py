"""Demonstrations: which segments are whole episodes shown by somebody, and whether they count."""

import time
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import demonstrations, events, segments
from rlhf.storage.segments import CLIP
from rlhf.types.demonstration import DemonstrationSource


def insert_demonstration(
    connection: sa.Connection,
    run_id: str,
    segment_id: str,
    *,
    source: DemonstrationSource,
    num_steps: int,
    terminated: bool,
    annotator_id: str | None = None,
    origin_id: str | None = None,
    origin_step: int | None = None,
) -> str:
    """Add a demonstration whose segment is stored; return its id."""
    demonstration_id = uuid.uuid4().hex
    connection.execute(
        demonstrations.insert().values(
            id=demonstration_id,
            run_id=run_id,
            segment_id=segment_id,
            annotator_id=annotator_id,
            source=source,
            num_steps=num_steps,
            terminated=terminated,
            origin_id=origin_id,
            origin_step=origin_step,
            created_at=time.time(),
        )
    )
    return demonstration_id


def get_demonstration(connection: sa.Connection, demonstration_id: str) -> sa.RowMapping:
    """Return one demonstration's row.

    Raises:
        NotFoundError: there is no such demonstration.
    """
    query = sa.select(demonstrations).where(demonstrations.c.id == demonstration_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no demonstration {demonstration_id!r}.")
    return row


def list_demonstrations(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return a run's demonstrations, voided ones too, with their clips' columns; the oldest first."""
    query = (
        sa.select(demonstrations, *CLIP)
        .join(segments, segments.c.id == demonstrations.c.segment_id)
        .where(demonstrations.c.run_id == run_id)
        .order_by(demonstrations.c.created_at, demonstrations.c.id)
    )
    return list(connection.execute(query).mappings())


def ended_by_itself(connection: sa.Connection, segment_id: str) -> bool | None:
    """Whether the environment ended the demonstration that a segment is; None if it is none."""
    query = sa.select(demonstrations.c.terminated).where(demonstrations.c.segment_id == segment_id)
    return connection.scalar(query)


def list_valid(connection: sa.Connection, run_id: str) -> Sequence[sa.RowMapping]:
    """Return those of a run's demonstrations that count, the oldest first."""
    return [row for row in list_demonstrations(connection, run_id) if row["voided_at"] is None]


def has_valid(connection: sa.Connection, run_id: str) -> bool:
    """Whether a run has a demonstration that counts."""
    query = sa.select(demonstrations.c.id).where(
        demonstrations.c.run_id == run_id, demonstrations.c.voided_at.is_(None)
    )
    return connection.scalar(query.limit(1)) is not None


def count_imitated(
    connection: sa.Connection, run_ids: Sequence[str]
) -> dict[str, dict[DemonstrationSource, int]]:
    """Return, by run and by who acted, how many demonstrations the runs imitated when they began.

    Those that counted then; of runs that have not begun, those that count now.

    Args:
        connection: to read with.
        run_ids: of runs that begin by imitating what is shown to them.
    """
    began = (
        sa.select(events.c.run_id, sa.func.min(events.c.at).label("at"))
        .where(events.c.kind == "clone", events.c.run_id.in_(run_ids))
        .group_by(events.c.run_id)
        .subquery()
    )
    shown, at = demonstrations.c, began.c.at
    query = (
        sa.select(shown.run_id, shown.source, sa.func.count())
        .outerjoin(began, began.c.run_id == shown.run_id)
        .where(shown.run_id.in_(run_ids))
        .where(sa.or_(shown.voided_at.is_(None), shown.voided_at > at))
        .where(sa.or_(at.is_(None), shown.created_at <= at))
        .group_by(shown.run_id, shown.source)
    )
    found: dict[str, dict[DemonstrationSource, int]] = {}
    for run_id, source, number in connection.execute(query):
        found.setdefault(run_id, {})[source] = number
    return found


def set_voided(connection: sa.Connection, demonstration_id: str, is_voided: bool) -> None:
    """Let a demonstration no longer count, or count again; nothing is deleted.

    Raises:
        NotFoundError: there is no such demonstration.
    """
    get_demonstration(connection, demonstration_id)
    connection.execute(
        demonstrations.update()
        .where(demonstrations.c.id == demonstration_id)
        .values(voided_at=time.time() if is_voided else None)
    )
