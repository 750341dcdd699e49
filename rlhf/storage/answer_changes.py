"""What researchers do to answers: the acts, and the rows that each appends. Nothing is overwritten."""

import collections
import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.answer_search import AnswerFilter, conditions, stands
from rlhf.storage.answers import count, standing_answer
from rlhf.storage.schema import annotators, answer_changes, answers, queries
from rlhf.types.feedback import ChangeKind, Choice

_newer = answers.alias("newer")
_COPIED = ("run_id", "query_id", "annotator_id", "left_id", "right_id", "reward_version", "policy_version")
_SAID = ("choice", "is_late", "shown_at", "answered_at", "received_at", "details", "search_text")


def insert_change(
    connection: sa.Connection,
    run_id: str,
    kind: ChangeKind,
    *,
    by: str,
    reason: str,
    reverts: str | None = None,
) -> str:
    """Add an act that is about no answers yet and return its id."""
    change_id = uuid.uuid4().hex
    values = {"id": change_id, "run_id": run_id, "at": time.time(), "by": by, "kind": kind, "reason": reason}
    connection.execute(answer_changes.insert().values(**values, num_answers=0, reverts=reverts))
    return change_id


def add_to_change(connection: sa.Connection, change_id: str, number: int) -> None:
    """Note that an act is about ``number`` more answers."""
    more = answer_changes.c.num_answers + number
    connection.execute(
        answer_changes.update().where(answer_changes.c.id == change_id).values(num_answers=more)
    )


def get_change(connection: sa.Connection, run_id: str, change_id: str) -> sa.RowMapping:
    """Return one act.

    Raises:
        NotFoundError: the run has no such act.
    """
    query = sa.select(answer_changes).where(
        answer_changes.c.id == change_id, answer_changes.c.run_id == run_id
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"run {run_id} has no change {change_id!r}.")
    return row


def list_changes(connection: sa.Connection, run_id: str, limit: int) -> list[sa.RowMapping]:
    """Return the latest acts, the newest first.

    Returns:
        Rows of the act with the ``name`` of whom it is by, if known, and ``num_reverted``, how many of its
        answers later acts have taken back.
    """
    later = answer_changes.alias("later")
    reverted = sa.select(sa.func.coalesce(sa.func.sum(later.c.num_answers), 0)).where(
        later.c.run_id == run_id, later.c.reverts == answer_changes.c.id
    )
    query = (
        sa.select(answer_changes, annotators.c.name, reverted.scalar_subquery().label("num_reverted"))
        .outerjoin(annotators, annotators.c.id == answer_changes.c.by)
        .where(answer_changes.c.run_id == run_id)
        .order_by(answer_changes.c.at.desc())
        .limit(limit)
    )
    return list(connection.execute(query).mappings())


def find_to_void(
    connection: sa.Connection, wanted: AnswerFilter, *, after_id: int, up_to_id: int, limit: int
) -> list[int]:
    """Return the numbers of answers that stand, in order, from those after ``after_id``."""
    query = sa.select(answers.c.id).where(*conditions(wanted), stands())
    query = query.where(answers.c.id > after_id, answers.c.id <= up_to_id)
    return list(connection.scalars(query.order_by(answers.c.id).limit(limit)))


def find_to_revert(
    connection: sa.Connection, change_id: str, *, after_id: int, limit: int, answer_id: int | None = None
) -> list[int]:
    """Return the numbers of rows of an act that nothing has superseded since, in order.

    Args:
        connection: of any transaction.
        change_id: the act.
        after_id: only rows with a higher number.
        limit: how many at most.
        answer_id: only the row that supersedes this answer.
    """
    is_last = ~sa.exists().where(_newer.c.supersedes == answers.c.id)
    query = sa.select(answers.c.id).where(
        answers.c.change_id == change_id, answers.c.change_id.is_not(None), answers.c.id > after_id, is_last
    )
    if answer_id is not None:
        query = query.where(answers.c.supersedes == answer_id)
    return list(connection.scalars(query.order_by(answers.c.id).limit(limit)))


def void(connection: sa.Connection, change_id: str, ids: Sequence[int]) -> int:
    """Void those of these answers that still stand; return how many did."""
    rows = _lock(connection, ids)
    _append(connection, change_id, [(row, None) for row in rows])
    return len(rows)


def revert(connection: sa.Connection, change_id: str, ids: Sequence[int]) -> int:
    """Bring back what stood before each of these rows, by rows of the act ``change_id``; return how many.

    Left out are answers whose annotator has answered the pair anew.
    """
    rows = _lock(connection, ids)
    before = {
        row["id"]: row
        for row in connection.execute(
            sa.select(answers).where(answers.c.id.in_([row["supersedes"] for row in rows]))
        ).mappings()
    }
    pairs = []
    for row in rows:
        earlier = before.get(row["supersedes"])
        if earlier is not None and earlier["choice"] is Choice.UNDO:
            earlier = None
        if row["choice"] is Choice.UNDO and (
            earlier is None or standing_answer(connection, row["query_id"], row["annotator_id"])
        ):
            continue
        pairs.append((row, earlier))
    _append(connection, change_id, pairs)
    return len(pairs)


def _lock(connection: sa.Connection, ids: Sequence[int]) -> list[sa.RowMapping]:
    """Return those rows that nothing supersedes, which stays so until this transaction ends."""
    pairs = sa.select(answers.c.query_id).where(answers.c.id.in_(ids))
    connection.execute(sa.select(queries.c.id).where(queries.c.id.in_(pairs)).with_for_update()).all()
    is_last = ~sa.exists().where(_newer.c.supersedes == answers.c.id)
    query = sa.select(answers).where(answers.c.id.in_(ids), is_last)
    return list(connection.execute(query.order_by(answers.c.id)).mappings())


def _append(
    connection: sa.Connection, change_id: str, pairs: Sequence[tuple[sa.RowMapping, sa.RowMapping | None]]
) -> None:
    """Supersede the first of each pair by a copy of the second, or by an UNDO where there is none."""
    if not pairs:
        return
    stem, now = secrets.token_hex(8), time.time()
    nothing = {"choice": Choice.UNDO, "shown_at": None, "answered_at": None, "received_at": now}
    new: list[dict[str, Any]] = []
    for row, copied in pairs:
        said = nothing | {"is_late": row["is_late"], "details": {}, "search_text": None}
        if copied is not None:
            said = {name: copied[name] for name in _SAID}
        kept = {name: row[name] for name in (*_COPIED, "query_kind")}
        new.append(
            kept | said | {"key": f"{stem}-{row['id']}", "supersedes": row["id"], "change_id": change_id}
        )
    connection.execute(answers.insert(), new)
    for sign, rows in ((-1, [row for row, _ in pairs]), (1, new)):
        numbers = collections.Counter((row["run_id"], row["choice"], row["is_late"]) for row in rows)
        for (run_id, choice, is_late), number in numbers.items():
            count(connection, run_id, choice, is_late, change=sign * number)
    add_to_change(connection, change_id, len(new))
