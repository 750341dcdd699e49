"""Answers: append-only. What stands is derived: a row that nothing supersedes and that is no undo.

The run's row holds how many stand, kept by ``insert_answer``, so that asking takes the same time after a
million answers.
"""

import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.storage.schema import annotators, answers, queries, runs, segments
from rlhf.types.feedback import CONTROLS, NEVER_LEARNED, Choice, QueryKind

_newer = answers.alias("newer")
_stands = ~sa.exists().where(_newer.c.supersedes == answers.c.id) & (answers.c.choice != Choice.UNDO)
_RECENT_ROWS = 2000
_RECENT_ANSWERS = 300
_COUNTERS = {
    Choice.LEFT: runs.c.num_left,
    Choice.RIGHT: runs.c.num_right,
    Choice.EQUAL: runs.c.num_equal,
    Choice.SKIP: runs.c.num_skip,
}


def insert_annotator(
    connection: sa.Connection, name: str, *, is_teacher: bool, annotator_id: str | None = None
) -> str:
    """Return the id of the annotator with this name and kind (or with this id), adding it if it is new."""
    if annotator_id is None:
        found = connection.scalar(
            sa.select(annotators.c.id).where(annotators.c.name == name, annotators.c.is_teacher == is_teacher)
        )
        annotator_id = uuid.uuid4().hex if found is None else str(found)
    else:
        found = connection.scalar(sa.select(annotators.c.id).where(annotators.c.id == annotator_id))
    if found is None:
        connection.execute(
            annotators.insert().values(
                id=annotator_id, name=name, is_teacher=is_teacher, created_at=time.time()
            )
        )
    return annotator_id


def find_by_key(connection: sa.Connection, key: str) -> sa.RowMapping | None:
    """Return the answer with this idempotency key, or None."""
    return connection.execute(sa.select(answers).where(answers.c.key == key)).mappings().first()


def standing_answer(connection: sa.Connection, query_id: str, annotator_id: str) -> sa.RowMapping | None:
    """Return what an annotator's answer to a query now is, or None."""
    query = sa.select(answers).where(
        answers.c.query_id == query_id, answers.c.annotator_id == annotator_id, _stands
    )
    return connection.execute(query.order_by(answers.c.id.desc()).limit(1)).mappings().first()


def find_void_of(connection: sa.Connection, answer_id: int) -> sa.RowMapping | None:
    """Return the row by which a researcher voided an answer, if that still holds."""
    later = answers.alias("later")
    query = sa.select(answers).where(
        answers.c.supersedes == answer_id,
        answers.c.choice == Choice.UNDO,
        answers.c.change_id.is_not(None),
        ~sa.exists().where(later.c.supersedes == answers.c.id),
    )
    return connection.execute(query).mappings().first()


def is_answered(by: str | None = None) -> sa.ColumnElement[bool]:
    """Return the condition that an answer to the ``queries`` row at hand stands: one's own, or anybody's."""
    answer = (answers.c.query_id == queries.c.id) & _stands
    return sa.exists().where(answer if by is None else answer & (answers.c.annotator_id == by))


def count_standing_of_query(connection: sa.Connection, query_id: str) -> int:
    """Return how many answers to a query stand, of all annotators."""
    query = sa.select(sa.func.count()).select_from(answers).where(answers.c.query_id == query_id, _stands)
    return int(connection.scalar(query) or 0)


def insert_answer(
    connection: sa.Connection,
    *,
    run_id: str,
    choice: Choice,
    is_late: bool,
    supersedes: int | None = None,
    **values: Any,
) -> int:
    """Append an answer, count it, and return its number; ``supersedes`` must be one that stands."""
    if supersedes is not None:
        earlier = sa.select(answers.c.choice, answers.c.is_late).where(answers.c.id == supersedes)
        count(connection, run_id, *connection.execute(earlier).one(), change=-1)
    count(connection, run_id, choice, is_late, change=1)
    row = answers.insert().values(
        run_id=run_id,
        choice=choice,
        is_late=is_late,
        supersedes=supersedes,
        received_at=time.time(),
        query_kind=sa.select(queries.c.kind).where(queries.c.id == values["query_id"]).scalar_subquery(),
        search_text=searchable(values["details"]),
        **values,
    )
    return int(connection.execute(row).inserted_primary_key[0])  # type: ignore[index]  # one row has one


def searchable(details: Mapping[str, Any]) -> str | None:
    """Return the tags and the comment of an answer's details as people search them, or None without any."""
    parts = [*details.get("tags", ()), details.get("comment", "")]
    return "\n".join(part for part in parts if part).casefold() or None


def count(connection: sa.Connection, run_id: str, choice: Choice, is_late: bool, *, change: int) -> None:
    """Note that ``change`` more answers of a kind stand; an UNDO is none."""
    if choice is Choice.UNDO:
        return
    counter = runs.c.num_late if is_late else _COUNTERS[choice]
    connection.execute(runs.update().where(runs.c.id == run_id).values({counter: counter + change}))


def recount(connection: sa.Connection, run_id: str) -> None:
    """Count anew what stands, after rows were added by other ways than ``insert_answer``."""
    query = (
        sa.select(answers.c.choice, answers.c.is_late, sa.func.count())
        .where(answers.c.run_id == run_id, _stands)
        .group_by(answers.c.choice, answers.c.is_late)
    )
    nothing = {column.name: 0 for column in (*_COUNTERS.values(), runs.c.num_late)}
    connection.execute(runs.update().where(runs.c.id == run_id).values(**nothing))
    for choice, is_late, number in connection.execute(query).all():
        count(connection, run_id, choice, is_late, change=number)


def standing_answers(
    connection: sa.Connection, run_id: str, *, newest: int | None = None
) -> list[sa.RowMapping]:
    """Return the answers of a run that stand, late ones included, in the order they came.

    With ``newest`` no more than so many, the latest ones.
    Beside the answer's columns: the query's ``kind`` and ``predicted``, the model's probability that the clip
    this annotator saw on the left is preferred.
    """
    as_asked = answers.c.left_id == queries.c.left_id
    predicted = sa.case((as_asked, queries.c.predicted), else_=1.0 - queries.c.predicted)
    query = (
        sa.select(answers, queries.c.kind, predicted.label("predicted"))
        .join(queries, queries.c.id == answers.c.query_id)
        .where(answers.c.run_id == run_id, _stands)
        .order_by(answers.c.id.desc())
        .limit(newest)
    )
    return list(connection.execute(query).mappings())[::-1]


def standing_answers_to(connection: sa.Connection, query_ids: Collection[str]) -> list[sa.RowMapping]:
    """Return the answers to these queries that stand, in the order they came, each with ``query_left_id``."""
    query = (
        sa.select(answers, queries.c.left_id.label("query_left_id"))
        .join(queries, queries.c.id == answers.c.query_id)
        .where(answers.c.query_id.in_(list(query_ids)), _stands)
    )
    return list(connection.execute(query.order_by(answers.c.id)).mappings())


def list_win_rate_answers(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return the answers that stand and came in time to pairs of two saved policies, in the order they came.

    Returns:
        ``annotator_id, choice, left_version, right_version``, the policies as this person saw them.
    """
    left, right = segments.alias("left_segment"), segments.alias("right_segment")
    versions = (left.c.policy_version.label("left_version"), right.c.policy_version.label("right_version"))
    query = (
        sa.select(answers.c.annotator_id, answers.c.choice, *versions)
        .join(left, left.c.id == answers.c.left_id)
        .join(right, right.c.id == answers.c.right_id)
        .where(answers.c.run_id == run_id, answers.c.query_kind == QueryKind.WIN_RATE)
        .where(~answers.c.is_late, _stands)
        .order_by(answers.c.id)
    )
    return list(connection.execute(query).mappings())


def recent_answers(
    connection: sa.Connection, run_id: str, annotator_id: str, limit: int
) -> list[sa.RowMapping]:
    """Return an annotator's latest answers that stand, the newest last, with what shows the pair again.

    Only the run's newest rows are looked through, so that it takes the same time beside a million answers of
    others.

    Returns:
        Rows of the answer, the query's ``kind``, ``query_left_id`` and ``query_right_id``, and of both clips
        as the query had them, as in ``queries.lease_ready``.
    """
    newest = (
        sa.select(answers.c.id)
        .where(answers.c.run_id == run_id)
        .order_by(answers.c.id.desc())
        .limit(_RECENT_ROWS)
        .subquery()
    )
    left, right = segments.alias("left_segment"), segments.alias("right_segment")
    clip_columns = [
        table.c[name].label(f"{side}_{name}")
        for side, table in (("left", left), ("right", right))
        for name in ("clip_fps", "clip_frames", "ended_at_frame")
    ]
    sides = (queries.c.left_id.label("query_left_id"), queries.c.right_id.label("query_right_id"))
    query = (
        sa.select(answers, queries.c.kind, *sides, *clip_columns)
        .join(newest, newest.c.id == answers.c.id)
        .join(queries, queries.c.id == answers.c.query_id)
        .join(left, left.c.id == queries.c.left_id)
        .join(right, right.c.id == queries.c.right_id)
        .where(answers.c.annotator_id == annotator_id, _stands)
        .order_by(answers.c.id.desc())
        .limit(limit)
    )
    return list(connection.execute(query).mappings())[::-1]


def count_standing(connection: sa.Connection, run_id: str) -> dict[Choice, int]:
    """Return how many answers of each choice stand, those of none left out.

    Late answers are not among them, as nothing is learned from those; what people are shown as given is the
    sum of these and ``count_late``. A SKIP is counted but teaches nothing either.
    """
    row = connection.execute(sa.select(*_COUNTERS.values()).where(runs.c.id == run_id)).first()
    return {} if row is None else {c: n for c, n in zip(_COUNTERS, row, strict=True) if n}


def count_recent_people(connection: sa.Connection, run_id: str) -> int:
    """Return how many people, teachers left out, gave the latest few hundred answers of a run."""
    latest = sa.select(answers.c.annotator_id).where(answers.c.run_id == run_id)
    latest = latest.order_by(answers.c.id.desc()).limit(_RECENT_ANSWERS)
    query = sa.select(sa.func.count()).select_from(annotators).where(~annotators.c.is_teacher)
    return int(connection.scalar(query.where(annotators.c.id.in_(latest))) or 0)


def count_late(connection: sa.Connection, run_id: str) -> int:
    """Return how many answers stand that came after their query had expired."""
    return int(connection.scalar(sa.select(runs.c.num_late).where(runs.c.id == run_id)) or 0)


def count_rows(connection: sa.Connection, run_id: str) -> int:
    """Return how many rows a run has, undos and replaced answers included; it never falls."""
    query = sa.select(sa.func.count()).select_from(answers).where(answers.c.run_id == run_id)
    return int(connection.scalar(query) or 0)


def count_changes(connection: sa.Connection, run_id: str, after_id: int) -> int:
    """Return how many rows after ``after_id`` may change what is learned.

    Not late ones, not skips, not those that are never learned from, and not a row that repeats choice, sides
    and strength of the answer it supersedes, as a reason given afterwards does.
    """
    earlier = answers.alias("earlier")
    strength, before = (table.c.details["strength"].as_integer() for table in (answers, earlier))
    repeats = (
        sa.exists()
        .where(earlier.c.id == answers.c.supersedes, earlier.c.choice == answers.c.choice)
        .where(earlier.c.left_id == answers.c.left_id, before.is_not_distinct_from(strength))
    )
    never_learned = sa.exists().where(queries.c.id == answers.c.query_id, queries.c.kind.in_(NEVER_LEARNED))
    query = (
        sa.select(sa.func.count())
        .select_from(answers)
        .where(answers.c.run_id == run_id, answers.c.id > after_id)
        .where(~answers.c.is_late, answers.c.choice != Choice.SKIP, ~repeats, ~never_learned)
    )
    return int(connection.scalar(query) or 0)


def was_corrected(connection: sa.Connection, run_id: str, after_id: int) -> bool:
    """Return whether a researcher voided, restored or replaced an answer after the row ``after_id``."""
    acts = answers.c.change_id.is_not(None) & ~answers.c.is_late
    query = sa.select(answers.c.id).where(answers.c.run_id == run_id, answers.c.id > after_id, acts)
    return connection.execute(query.limit(1)).first() is not None


def last_id(connection: sa.Connection, run_id: str) -> int:
    """Return the number of a run's newest row, undos included; 0 when there is none."""
    return int(connection.scalar(sa.select(sa.func.max(answers.c.id)).where(answers.c.run_id == run_id)) or 0)


def last_id_of(connection: sa.Connection, run_id: str, annotator_id: str) -> int:
    """Return the number of a person's newest row in a run, undos included; 0 when there is none."""
    query = sa.select(sa.func.max(answers.c.id)).where(
        answers.c.annotator_id == annotator_id, answers.c.run_id == run_id
    )
    return int(connection.scalar(query) or 0)


def list_repeatable(
    connection: sa.Connection, run_id: str, annotator_id: str, *, after: int, limit: int
) -> list[sa.RowMapping]:
    """Return a person's latest standing answers that at least ``after`` others of theirs followed.

    Neither skips nor late answers, nor those to repeats and to what is never learned from; the newest first,
    at most ``limit``.
    """
    query = (
        sa.select(answers)
        .join(queries, queries.c.id == answers.c.query_id)
        .where(answers.c.annotator_id == annotator_id, answers.c.run_id == run_id, _stands)
        .where(
            answers.c.choice != Choice.SKIP,
            ~answers.c.is_late,
            queries.c.kind.not_in((*CONTROLS, *NEVER_LEARNED)),
        )
        .order_by(answers.c.id.desc())
        .offset(after)
        .limit(limit)
    )
    return list(connection.execute(query).mappings())


def standing_of(
    connection: sa.Connection, annotator_id: str, query_ids: Collection[str]
) -> list[sa.RowMapping]:
    """Return a person's answers to some queries that stand, in the order they came."""
    query = sa.select(answers).where(
        answers.c.annotator_id == annotator_id, answers.c.query_id.in_(list(query_ids)), _stands
    )
    return list(connection.execute(query.order_by(answers.c.id)).mappings())


def latest_of_people(connection: sa.Connection, run_id: str, limit: int) -> list[sa.RowMapping]:
    """Return the run's latest standing answers, at most ``limit``, in the order they came.

    Beside the answer's columns: ``name`` and ``is_teacher`` of who gave it, the query's ``kind``, ``again``
    and ``query_left_id``, and ``predicted`` as in ``standing_answers``.
    """
    as_asked = answers.c.left_id == queries.c.left_id
    predicted = sa.case((as_asked, queries.c.predicted), else_=1.0 - queries.c.predicted).label("predicted")
    asked = (queries.c.kind, queries.c.again, queries.c.left_id.label("query_left_id"), predicted)
    query = (
        sa.select(answers, annotators.c.name, annotators.c.is_teacher, *asked)
        .join(queries, queries.c.id == answers.c.query_id)
        .join(annotators, annotators.c.id == answers.c.annotator_id)
        .where(answers.c.run_id == run_id, _stands)
        .order_by(answers.c.id.desc())
        .limit(limit)
    )
    return list(connection.execute(query).mappings())[::-1]
