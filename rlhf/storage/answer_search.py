"""Finding answers among many: filters, pages, counts, and the history of one.

Pages are found by the number of the last row seen, never by an offset, and hold whole rows of a page only.
"""

import dataclasses
import enum
import operator
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.answers import count_standing
from rlhf.storage.schema import annotators, answer_changes, answers, queries, segments
from rlhf.types.feedback import Choice, QueryKind

_newer = answers.alias("newer")
_latest = answers.alias("latest")
_MAX_HISTORY = 100


@enum.unique
class AnswerStatus(enum.Enum):
    """What has become of an answer."""

    STANDING = "standing"
    LATE = "late"
    """Stands, but came after its query had expired: not learned from."""
    VOIDED = "voided"
    """Set aside by a researcher."""
    UNDONE = "undone"
    """Taken back by whoever gave it."""
    REPLACED = "replaced"
    """Followed by another answer of the same person to the same pair."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerFilter:
    """Which answers of a run; what is left out does not matter."""

    run_id: str
    status: AnswerStatus | None = None
    people: tuple[str, ...] = ()
    """Ids of annotators."""
    choices: tuple[Choice, ...] = ()
    kinds: tuple[QueryKind, ...] = ()
    since: float | None = None
    """Received at or after this time, seconds since the epoch."""
    until: float | None = None
    """Received before this time."""
    min_version: int | None = None
    """Of the reward model that asked."""
    max_version: int | None = None
    has_reason: bool = False
    """With tags or a comment."""
    text: str = ""
    """Part of a tag or of the comment; upper and lower case are the same."""
    answer_id: int | None = None


def stands() -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``answers`` is somebody's answer now, be it late or not."""
    return (answers.c.choice != Choice.UNDO) & ~sa.exists().where(_newer.c.supersedes == answers.c.id)


def conditions(wanted: AnswerFilter) -> list[sa.ColumnElement[bool]]:
    """Return what rows of ``answers`` must fulfil; UNDO rows are no answers."""
    table = answers.c
    found: list[sa.ColumnElement[bool]] = [table.run_id == wanted.run_id, table.choice != Choice.UNDO]
    for column, values in (
        (table.annotator_id, wanted.people),
        (table.choice, wanted.choices),
        (table.query_kind, wanted.kinds),
    ):
        if values:
            found.append(column.in_(values))
    for compare, column, bound in (
        (operator.ge, table.received_at, wanted.since),
        (operator.lt, table.received_at, wanted.until),
        (operator.ge, table.reward_version, wanted.min_version),
        (operator.le, table.reward_version, wanted.max_version),
        (operator.eq, table.id, wanted.answer_id),
    ):
        if bound is not None:
            found.append(compare(column, bound))
    if wanted.has_reason or wanted.text:
        found.append(table.search_text.is_not(None))
    if wanted.text:
        found.append(table.search_text.contains(wanted.text.casefold(), autoescape=True))
    if wanted.status is not None:
        found.append(_has_status(wanted.run_id, wanted.status))
    return found


def _has_status(run_id: str, status: AnswerStatus) -> sa.ColumnElement[bool]:
    # Those that something supersedes are few: they are looked up rather than searched for row by row.
    is_last = ~sa.exists().where(_latest.c.supersedes == _newer.c.id)
    is_undo, by_researcher = _newer.c.choice == Choice.UNDO, _newer.c.change_id.is_not(None)
    superseded = sa.select(_newer.c.supersedes).where(_newer.c.supersedes.is_not(None))
    match status:
        case AnswerStatus.STANDING:
            return stands() & ~answers.c.is_late
        case AnswerStatus.LATE:
            return stands() & answers.c.is_late
        case AnswerStatus.VOIDED:
            voids = superseded.where(_newer.c.run_id == run_id, by_researcher, is_undo, is_last)
            return answers.c.id.in_(voids)
        case AnswerStatus.UNDONE:
            return answers.c.id.in_(superseded.where(is_undo, ~by_researcher))
        case AnswerStatus.REPLACED:
            return answers.c.id.in_(superseded.where(~is_undo | (by_researcher & ~is_last)))


def status_text() -> sa.ColumnElement[str]:
    """Return the status of a row of ``answers``, as the value of an ``AnswerStatus``."""
    newer = sa.select(_newer.c.id).where(_newer.c.supersedes == answers.c.id)
    is_undo, by_researcher = _newer.c.choice == Choice.UNDO, _newer.c.change_id.is_not(None)
    is_last = ~sa.exists().where(_latest.c.supersedes == _newer.c.id)
    return sa.case(
        (newer.where(is_undo, by_researcher, is_last).exists(), AnswerStatus.VOIDED.value),
        (newer.where(is_undo, ~by_researcher).exists(), AnswerStatus.UNDONE.value),
        (newer.exists(), AnswerStatus.REPLACED.value),
        (answers.c.is_late, AnswerStatus.LATE.value),
        else_=AnswerStatus.STANDING.value,
    )


def find_answers(
    connection: sa.Connection,
    wanted: AnswerFilter,
    *,
    limit: int,
    before_id: int | None = None,
    after_id: int | None = None,
) -> list[sa.RowMapping]:
    """Return one page of answers, the newest first.

    Args:
        connection: of any transaction.
        wanted: which ones.
        limit: rows of a page.
        before_id: the last row of the page before this one; by default the newest come.
        after_id: the first row of the page behind this one.

    Returns:
        Rows of the answer with ``status`` (the value of an ``AnswerStatus``) and the annotator's ``name``.
    """
    query = sa.select(answers, annotators.c.name, status_text().label("status")).where(*conditions(wanted))
    query = query.join(annotators, annotators.c.id == answers.c.annotator_id)
    if before_id is not None:
        query = query.where(answers.c.id < before_id)
    if after_id is not None:
        nearest = query.where(answers.c.id > after_id).order_by(answers.c.id).limit(limit)
        return list(connection.execute(nearest).mappings())[::-1]
    return list(connection.execute(query.order_by(answers.c.id.desc()).limit(limit)).mappings())


def count_answers(connection: sa.Connection, wanted: AnswerFilter, *, standing_only: bool = False) -> int:
    """Return how many answers there are; ``standing_only`` leaves out those that something supersedes."""
    those_that_stand = (AnswerStatus.STANDING, AnswerStatus.LATE)
    if not standing_only and wanted.status not in those_that_stand:
        return _count(connection, conditions(wanted))
    if wanted.status not in (None, *those_that_stand):
        return 0
    if wanted == AnswerFilter(run_id=wanted.run_id, status=AnswerStatus.STANDING):
        return sum(count_standing(connection, wanted.run_id).values())
    found = conditions(dataclasses.replace(wanted, status=None))
    if wanted.status is not None:
        found.append(answers.c.is_late == (wanted.status is AnswerStatus.LATE))
    # Few are superseded: taking those away is three times as fast as asking each of a million.
    superseded = sa.select(_newer.c.supersedes).where(_newer.c.supersedes.is_not(None))
    return _count(connection, found) - _count(connection, [*found, answers.c.id.in_(superseded)])


def _count(connection: sa.Connection, found: list[sa.ColumnElement[bool]]) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(answers).where(*found)) or 0)


def list_people(connection: sa.Connection, run_id: str) -> list[tuple[str, str]]:
    """Return id and name of everybody who has answered in a run, in order of names."""
    has_answered = sa.exists().where(answers.c.run_id == run_id, answers.c.annotator_id == annotators.c.id)
    query = sa.select(annotators.c.id, annotators.c.name).where(has_answered)
    return [(row.id, row.name) for row in connection.execute(query.order_by(annotators.c.name))]


def get_answer(connection: sa.Connection, run_id: str, key: str) -> sa.RowMapping:
    """Return one answer with all that is known of it.

    Returns:
        The row of ``find_answers``, the query's ``score`` and ``predicted`` (that its own left clip is
        preferred), ``query_left_id``, and for both clips as the annotator saw them ``left_clip``,
        ``left_clip_fps``, ``left_clip_frames``, ``left_policy_version`` and so on.

    Raises:
        NotFoundError: the run has no such answer.
    """
    query = _with_clips().where(answers.c.key == key, answers.c.run_id == run_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"run {run_id} has no answer {key!r}.")
    return row


def find_standing(connection: sa.Connection, run_id: str, ids: Sequence[int]) -> list[sa.RowMapping]:
    """Return those of these answers that stand, in no order, as ``get_answer`` does."""
    query = _with_clips().where(answers.c.id.in_(ids), answers.c.run_id == run_id, stands())
    return list(connection.execute(query).mappings())


def _with_clips() -> sa.Select[Any]:
    """Return the query for answers with all that is known of them, undos left out."""
    left, right = segments.alias("left_segment"), segments.alias("right_segment")
    clip_columns = [
        table.c[name].label(f"{side}_{name}")
        for side, table in (("left", left), ("right", right))
        for name in ("clip", "clip_fps", "clip_frames", "policy_version")
    ]
    query_columns = (queries.c.score, queries.c.predicted, queries.c.left_id.label("query_left_id"))
    return (
        sa.select(answers, annotators.c.name, status_text().label("status"), *query_columns, *clip_columns)
        .join(annotators, annotators.c.id == answers.c.annotator_id)
        .join(queries, queries.c.id == answers.c.query_id)
        .join(left, left.c.id == answers.c.left_id)
        .join(right, right.c.id == answers.c.right_id)
        .where(answers.c.choice != Choice.UNDO)
    )


def history(connection: sa.Connection, query_id: str) -> list[sa.RowMapping]:
    """Return every row about a pair in the order they came, undos too.

    Returns:
        Rows of the answer with the annotator's ``name`` and, where a researcher's act made it, that act's
        ``changed_by``, ``change_kind`` and ``change_reason``.
    """
    act = (
        answer_changes.c.by.label("changed_by"),
        answer_changes.c.kind.label("change_kind"),
        answer_changes.c.reason.label("change_reason"),
    )
    query = (
        sa.select(answers, annotators.c.name, *act)
        .join(annotators, annotators.c.id == answers.c.annotator_id)
        .outerjoin(answer_changes, answer_changes.c.id == answers.c.change_id)
        .where(answers.c.query_id == query_id)
        .order_by(answers.c.id)
        .limit(_MAX_HISTORY)
    )
    return list(connection.execute(query).mappings())
