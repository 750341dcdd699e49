"""Queries: pairs of segments to be compared, their life and their leases."""

import time
import uuid
from collections.abc import Collection

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.answers import is_answered
from rlhf.storage.schema import queries, segments
from rlhf.types.feedback import NEVER_LEARNED, QueryKind
from rlhf.types.run import QueryStatus

LEASE_S = 120.0
"""How long a query shown to one annotator is not shown to another."""
_HOPELESS = 3
OPEN = (QueryStatus.RENDERING, QueryStatus.READY)


def insert_query(
    connection: sa.Connection,
    run_id: str,
    *,
    left_id: str,
    right_id: str,
    kind: QueryKind,
    score: float | None,
    predicted: float | None,
    policy_version: int,
    reward_version: int,
    wanted_answers: int = 1,
    asked_of: str | None = None,
    again: str | None = None,
) -> str:
    """Add a query whose clips have yet to be drawn and return its id.

    ``wanted_answers`` is how many different people it is asked. One with ``asked_of`` is for that person
    alone; with ``again`` it shows the pair of that query once more.
    """
    query_id = uuid.uuid4().hex
    connection.execute(
        queries.insert().values(
            id=query_id,
            run_id=run_id,
            left_id=left_id,
            right_id=right_id,
            kind=kind,
            status=QueryStatus.RENDERING,
            score=score,
            predicted=predicted,
            policy_version=policy_version,
            reward_version=reward_version,
            created_at=time.time(),
            asked_of=asked_of,
            again=again,
            wanted_answers=wanted_answers,
        )
    )
    return query_id


def get_query(connection: sa.Connection, query_id: str, *, lock: bool = False) -> sa.RowMapping:
    """Return one query; with ``lock`` whoever else asks so waits until this transaction ends.

    Raises:
        NotFoundError: there is no such query.
    """
    query = sa.select(queries).where(queries.c.id == query_id)
    query = query.with_for_update() if lock else query
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no query {query_id!r}.")
    return row


def set_status(connection: sa.Connection, query_id: str, status: QueryStatus) -> None:
    """Move a query on; READY also notes the time."""
    values: dict[str, object] = {"status": status}
    if status is QueryStatus.READY:
        values["ready_at"] = time.time()
    connection.execute(queries.update().where(queries.c.id == query_id).values(**values))


def note_answer(
    connection: sa.Connection, query: sa.RowMapping, num_answers: int, *, by: str | None = None
) -> None:
    """Move a query on whose answers have changed: done with as many as are wanted, else for the next person.

    Args:
        connection: of a write transaction.
        query: its row.
        num_answers: how many of its answers now stand.
        by: who has answered, and needs the query no longer; None if an answer was taken back.
    """
    this = queries.c.id == query["id"]
    if num_answers >= query["wanted_answers"]:
        connection.execute(queries.update().where(this).values(status=QueryStatus.ANSWERED))
        return
    if query["status"] is QueryStatus.ANSWERED:
        connection.execute(queries.update().where(this).values(status=QueryStatus.READY))
    if by is not None:
        nobody = {"leased_to": None, "leased_until": None}
        connection.execute(queries.update().where(this, queries.c.leased_to == by).values(**nobody))


def give_up_rendering(connection: sa.Connection, query_id: str) -> None:
    """Mark a query whose clips cannot be made FAILED, unless it is no longer waiting for them."""
    is_waiting = (queries.c.id == query_id) & (queries.c.status == QueryStatus.RENDERING)
    connection.execute(queries.update().where(is_waiting).values(status=QueryStatus.FAILED))


def none_can_be_drawn(connection: sa.Connection, run_id: str) -> bool:
    """Whether several queries of a run could not be drawn and none ever was."""
    numbers = count_by_status(connection, run_id)
    drawn = sum(
        numbers.get(status, 0) for status in (QueryStatus.READY, QueryStatus.ANSWERED, QueryStatus.EXPIRED)
    )
    return numbers.get(QueryStatus.FAILED, 0) >= _HOPELESS and drawn == 0


def count_by_status(
    connection: sa.Connection, run_id: str, statuses: Collection[QueryStatus] = tuple(QueryStatus)
) -> dict[QueryStatus, int]:
    """Return how many queries of a run are in each of ``statuses``, those of none left out.

    Queries for one person alone are not counted: nobody else can answer them.
    It takes time in proportion to the queries counted; few are ever ``OPEN``, many become answered.
    """
    query = (
        sa.select(queries.c.status, sa.func.count())
        .where(queries.c.run_id == run_id, queries.c.status.in_(statuses), queries.c.asked_of.is_(None))
        .group_by(queries.c.status)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def list_open(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return the queries that wait for anybody's answer and teach, drawn or not, the oldest first."""
    query = (
        sa.select(queries)
        .where(queries.c.run_id == run_id, queries.c.status.in_(OPEN), queries.c.asked_of.is_(None))
        .where(queries.c.kind.not_in(NEVER_LEARNED))
        .order_by(queries.c.created_at)
    )
    return list(connection.execute(query).mappings())


def list_unanswered(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return the open queries that nobody has answered and anybody may, the oldest first."""
    query = sa.select(queries).where(queries.c.run_id == run_id, queries.c.status.in_(OPEN), ~is_answered())
    query = query.where(queries.c.asked_of.is_(None))
    return list(connection.execute(query.order_by(queries.c.created_at)).mappings())


def find_open_pair(
    connection: sa.Connection, run_id: str, kind: QueryKind, arrays: Collection[str]
) -> str | None:
    """Return the id of an open query of a kind that compares the two segments with these blobs, or None."""
    left, right = segments.alias("left_segment"), segments.alias("right_segment")
    query = (
        sa.select(queries.c.id)
        .join(left, left.c.id == queries.c.left_id)
        .join(right, right.c.id == queries.c.right_id)
        .where(queries.c.run_id == run_id, queries.c.status.in_(OPEN), queries.c.kind == kind)
        .where(left.c.arrays.in_(arrays), right.c.arrays.in_(arrays), left.c.arrays != right.c.arrays)
    )
    return connection.scalar(query.limit(1))


def list_asked_pairs(connection: sa.Connection, run_id: str, limit: int) -> list[tuple[str, str]]:
    """Return the ids of both segments of the latest queries that are open or answered, the newest first.

    Those that nothing is learned from are left out: such a pair may still be asked to learn from it.
    """
    query = (
        sa.select(queries.c.left_id, queries.c.right_id)
        .where(queries.c.run_id == run_id, queries.c.status.in_((*OPEN, QueryStatus.ANSWERED)))
        .where(queries.c.kind.not_in(NEVER_LEARNED))
        .order_by(queries.c.created_at.desc())
        .limit(limit)
    )
    return [(left, right) for left, right in connection.execute(query)]


def lease_ready(
    connection: sa.Connection, run_id: str, annotator_id: str, count: int, exclude: Collection[str] = ()
) -> list[sa.RowMapping]:
    """Lease up to ``count`` drawn queries to one annotator: those leased to them, then those for them alone.

    A query is leased to one annotator at a time, and to nobody who has answered it. What somebody picked by
    hand comes before what was chosen.

    Returns:
        Rows of the query and both clips: ``left_clip_fps``, ``right_ended_at_frame`` and so on.
    """
    now = time.time()
    left, right = segments.alias("left_segment"), segments.alias("right_segment")
    clip_columns = [
        table.c[name].label(f"{side}_{name}")
        for side, table in (("left", left), ("right", right))
        for name in ("clip", "clip_fps", "clip_frames", "ended_at_frame")
    ]
    mine = queries.c.leased_to == annotator_id
    free = queries.c.leased_until.is_(None) | (queries.c.leased_until < now) | mine
    free &= queries.c.asked_of.is_(None) | (queries.c.asked_of == annotator_id)
    free &= ~is_answered(by=annotator_id)
    # Named by status too where ids would do: SQLite may read the run's index, and few queries are drawn.
    is_ready = (queries.c.run_id == run_id) & (queries.c.status == QueryStatus.READY)
    order = [
        (condition, place)
        for place, condition in enumerate(
            (mine, queries.c.asked_of == annotator_id, queries.c.kind == QueryKind.PICKED)
        )
    ]
    query = (
        sa.select(queries, *clip_columns)
        .join(left, left.c.id == queries.c.left_id)
        .join(right, right.c.id == queries.c.right_id)
        .where(is_ready, free)
        .where(queries.c.id.not_in(list(exclude)))
        .order_by(sa.case(*order, else_=len(order)), queries.c.created_at)
        .limit(count)
    )
    rows = list(connection.execute(query).mappings())
    connection.execute(
        queries.update()
        .where(queries.c.id.in_([row["id"] for row in rows] + list(exclude)), is_ready, free)
        .values(leased_to=annotator_id, leased_until=now + LEASE_S)
    )
    return rows


def expire_replaced(
    connection: sa.Connection, run_id: str, *, before_reward_version: int, wanted: int
) -> int:
    """Expire open queries of older reward versions, but only those that newer ones have replaced.

    A drawn query gives way to a drawn one and not to the promise of one, so that people always have
    something to answer however often the reward changes. Whatever somebody is looking at stays, and so does
    what somebody picked by hand.

    Args:
        connection: of a write transaction.
        run_id: whose queries.
        before_reward_version: queries chosen for an older version are stale.
        wanted: how many open queries are wanted; with so many newer ones no stale one is kept.

    Returns:
        How many expired.
    """
    now = time.time()
    rows = list_open(connection, run_id)
    fresh = [row for row in rows if row["reward_version"] >= before_reward_version]
    unseen = [
        row
        for row in rows
        if row["reward_version"] < before_reward_version
        and row["kind"] is not QueryKind.PICKED
        and (row["leased_until"] is None or row["leased_until"] < now)
    ]
    expired: list[str] = []
    for status in OPEN:
        stale = [row["id"] for row in unseen if row["status"] is status]  # the oldest first
        replacements = (
            fresh if status is QueryStatus.RENDERING else [r for r in fresh if r["status"] is status]
        )
        expired += stale[: max(0, len(stale) + len(replacements) - wanted)]
    _expire(connection, queries.c.id.in_(expired))
    return len(expired)


def expire_after(connection: sa.Connection, run_id: str, reward_version: int) -> None:
    """Expire open queries chosen by reward versions that have been taken back."""
    is_chosen = (queries.c.run_id == run_id) & (queries.c.kind != QueryKind.PICKED)
    _expire(connection, is_chosen & (queries.c.reward_version > reward_version))


def list_win_rate_versions(connection: sa.Connection, run_id: str) -> list[int]:
    """Return the newer policy's version of each blind pair of a run that is open or answered."""
    query = sa.select(queries.c.policy_version).where(
        queries.c.run_id == run_id,
        queries.c.kind == QueryKind.WIN_RATE,
        queries.c.status.in_((*OPEN, QueryStatus.ANSWERED)),
    )
    return list(connection.scalars(query))


def segments_that_measure(connection: sa.Connection, run_id: str) -> set[str]:
    """Return the segments of queries that nothing is learned from."""
    query = sa.select(queries.c.left_id, queries.c.right_id).where(
        queries.c.run_id == run_id, queries.c.kind.in_(NEVER_LEARNED)
    )
    return {side for row in connection.execute(query) for side in row}


def list_controls(connection: sa.Connection, run_id: str, annotator_id: str) -> list[sa.RowMapping]:
    """Return what one person was asked to learn about them: ``id, kind, status, again``, the oldest first."""
    columns = (queries.c.id, queries.c.kind, queries.c.status, queries.c.again)
    query = sa.select(*columns).where(queries.c.asked_of == annotator_id, queries.c.run_id == run_id)
    return list(connection.execute(query.order_by(queries.c.created_at)).mappings())


def count_of_kind(connection: sa.Connection, run_id: str, kind: QueryKind) -> int:
    """Return how many queries of a kind a run has, whatever became of them."""
    query = sa.select(sa.func.count()).where(queries.c.run_id == run_id, queries.c.kind == kind)
    return int(connection.scalar(query) or 0)


def _expire(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Expire those of the open queries; one that somebody has answered already is done instead."""
    status = sa.case((is_answered(), QueryStatus.ANSWERED.value), else_=QueryStatus.EXPIRED.value)
    connection.execute(queries.update().where(which, queries.c.status.in_(OPEN)).values(status=status))
