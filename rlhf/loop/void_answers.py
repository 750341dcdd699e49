"""A researcher's word over answers: setting them aside, bringing them back, answering anew.

Each act is one row of the log and appends rows of answers that belong to it; nothing is overwritten, and an
act can be taken back as a whole. Large ones are done in portions, each a transaction of its own, so that
nobody's answer waits for them. Whoever calls has checked that ``by`` may do it.
"""

import dataclasses
import secrets
import time

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.storage import answer_changes, answers, queries
from rlhf.storage.answer_search import AnswerFilter, get_answer
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import ChangeKind, Choice
from rlhf.types.run import QueryStatus

_PORTION = 500
_MAX_REASON = 500
_NEVER = -1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Act:
    """What became of an act."""

    change_id: str | None
    """None where there was nothing to do."""
    num_answers: int
    num_left_out: int = 0
    """Answers that could not be brought back, as their annotator has answered the pair anew."""


def void_answers(engine: sa.Engine, wanted: AnswerFilter, *, by: str, reason: str) -> Act:
    """Set aside every answer that stands now and that the filter finds.

    Args:
        engine: of the store.
        wanted: which ones; answers that come meanwhile are not among them.
        by: id of the researcher.
        reason: for the log; needed.

    Raises:
        FeedbackError: there is no reason, or it is too long.
        StorageError: the database could not be written; what was done until then is in the log.
    """
    reason = _checked_reason(reason)
    if not reason:
        raise FeedbackError("say why the answers are set aside; the log keeps it.")
    with reading(engine) as connection:
        newest = answers.last_id(connection, wanted.run_id)
    change_id, number, after = None, 0, _NEVER
    while True:
        with writing(engine) as connection:
            ids = answer_changes.find_to_void(
                connection, wanted, after_id=after, up_to_id=newest, limit=_PORTION
            )
            if not ids:
                return Act(change_id=change_id, num_answers=number)
            if change_id is None:
                change_id = answer_changes.insert_change(
                    connection, wanted.run_id, ChangeKind.VOID, by=by, reason=reason
                )
            number += answer_changes.void(connection, change_id, ids)
            after = ids[-1]


def revert_change(engine: sa.Engine, run_id: str, change_id: str, *, by: str, reason: str = "") -> Act:
    """Take back an act: what it voided stands again, what it restored or answered no longer does.

    Raises:
        NotFoundError: the run has no such act.
        FeedbackError: the reason is too long, or the act was an import.
        StorageError: the database could not be written; what was done until then is in the log.
    """
    return _revert(engine, run_id, change_id, by=by, reason=reason)


def restore_answer(engine: sa.Engine, run_id: str, key: str, *, by: str, reason: str = "") -> Act:
    """Bring back one voided answer, whatever else was voided with it.

    Raises:
        NotFoundError: the run has no such answer.
        FeedbackError: it is not voided, or the reason is too long.
    """
    with reading(engine) as connection:
        row = get_answer(connection, run_id, key)
        void = answers.find_void_of(connection, row["id"])
    if void is None:
        raise FeedbackError("that answer is not set aside, so there is nothing to bring back.")
    return _revert(engine, run_id, void["change_id"], by=by, reason=reason, answer_id=row["id"])


def answer_again(
    engine: sa.Engine, run_id: str, key: str, choice: Choice, *, by: str, reason: str = "", replaces: bool
) -> Act:
    """Answer a pair anew as the researcher, who sees the clips on the sides of the answer ``key``.

    Args:
        engine: of the store.
        run_id: whose answer.
        key: of the answer that was looked at.
        choice: any but UNDO.
        by: id of the researcher, in whose name the new answer is.
        reason: for the log.
        replaces: whether the answer that was looked at is set aside, if it stands and is somebody else's.

    Raises:
        NotFoundError: the run has no such answer.
        FeedbackError: the choice is none, or the reason is too long.
    """
    reason = _checked_reason(reason)
    if choice is Choice.UNDO:
        raise FeedbackError("an undo is no answer; set the answer aside instead.")
    with writing(engine) as connection:
        looked_at = get_answer(connection, run_id, key)
        query = queries.get_query(connection, looked_at["query_id"], lock=True)
        answers.insert_annotator(connection, "Researcher", is_teacher=False, annotator_id=by)
        change_id = answer_changes.insert_change(connection, run_id, ChangeKind.ANSWER, by=by, reason=reason)
        if replaces and looked_at["annotator_id"] != by:
            answer_changes.void(connection, change_id, [looked_at["id"]])
        own = answers.standing_answer(connection, query["id"], by)
        answers.insert_answer(
            connection,
            run_id=run_id,
            query_id=query["id"],
            annotator_id=by,
            key=secrets.token_hex(16),
            choice=choice,
            left_id=looked_at["left_id"],
            right_id=looked_at["right_id"],
            supersedes=None if own is None else own["id"],
            is_late=query["status"] is QueryStatus.EXPIRED,
            reward_version=query["reward_version"],
            policy_version=query["policy_version"],
            shown_at=None,
            answered_at=time.time(),
            details={},
            change_id=change_id,
        )
        answer_changes.add_to_change(connection, change_id, 1)
    return Act(change_id=change_id, num_answers=1)


def _revert(
    engine: sa.Engine, run_id: str, change_id: str, *, by: str, reason: str, answer_id: int | None = None
) -> Act:
    reason = _checked_reason(reason)
    with reading(engine) as connection:
        if answer_changes.get_change(connection, run_id, change_id)["kind"] is ChangeKind.IMPORT:
            raise FeedbackError("an import cannot be taken back; set its answers aside by a filter instead.")
    act, number, seen, after = None, 0, 0, _NEVER
    while True:
        with writing(engine) as connection:
            ids = answer_changes.find_to_revert(
                connection, change_id, after_id=after, limit=_PORTION, answer_id=answer_id
            )
            if not ids:
                return Act(change_id=act, num_answers=number, num_left_out=seen - number)
            if act is None:
                act = answer_changes.insert_change(
                    connection, run_id, ChangeKind.RESTORE, by=by, reason=reason, reverts=change_id
                )
            number += answer_changes.revert(connection, act, ids)
            seen, after = seen + len(ids), ids[-1]


def _checked_reason(reason: str) -> str:
    if len(reason) > _MAX_REASON:
        raise FeedbackError(f"the reason has {len(reason)} characters; at most {_MAX_REASON} are kept.")
    return reason.strip()
