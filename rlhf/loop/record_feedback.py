"""An answer on its way from a browser or a teacher into the store.

Each answer is stored in a transaction of its own, so that one bad answer never costs a good one, and is
durable when this returns. Nothing is ever overwritten: an undo, or a second answer to the same query by the
same annotator, is a new row that supersedes the old one. So is a reason given afterwards: the same
answer once more, with the reason.
"""

import dataclasses
import datetime
import enum
import math
import re
from collections.abc import Mapping, Set
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.storage import answers, queries, segments
from rlhf.storage.engine import writing
from rlhf.storage.rankings import RANKING
from rlhf.storage.ratings import RATINGS
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_QUERY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_OTHERS = 15
_MAX_TAGS = 8
_MAX_TAG = 40
_MAX_COMMENT = 500
_MAX_FRAME = 1_000_000
_STRENGTHS = (1, 2)
_REASON = {"tags", "comment", "moment"}
"""What may be given after the answer that it belongs to."""
_CHECKED = {"strength", "both_bad"} | _REASON
_OF_OTHER_FORMS = {RANKING, RATINGS}
"""No browser may claim them for an answer to a pair."""


@enum.unique
class Outcome(enum.Enum):
    """What became of an answer; the value is what the browser is told."""

    SAVED = "saved"
    DUPLICATE = "duplicate"
    """The same answer had arrived before; it is stored once."""
    LATE = "late"
    """The query had expired; the answer is kept and marked, but not learned from."""
    REJECTED = "rejected"
    """It cannot be an answer of this run; nothing was stored."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer as it arrives, checked for form."""

    key: str
    query_id: str
    choice: Choice
    takes_back: str | None = None
    """Key of the answer that an UNDO takes back."""
    is_swapped: bool = False
    """Whether the query's right clip was on the left when this was answered; ``choice`` is as it was seen."""
    completes: str | None = None
    """Key of the answer whose reason this one brings; all else of that answer stays."""
    shown_at: float | None = None
    answered_at: float | None = None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Everything else that was sent. Checked: ``strength``, ``both_bad``, ``tags``, ``comment`` and
    ``moment``, see ``from_json``; the rest is kept as it is."""

    @classmethod
    def from_json(cls, data: Any) -> "Answer":
        """Check and convert one answer of a request.

        Details that mean something: ``strength`` of a LEFT or RIGHT, 1 (better) or 2 (much better);
        ``both_bad``, true on an EQUAL that says that neither clip is any good; ``tags``, short words for the
        reason; ``comment``, a free text; ``moment``, ``{"frame": n}``, the frame that decided, counted from 0
        in the longer of the two clips. The moment is shown with the answer; nothing is learned from it.

        Raises:
            FeedbackError: a field is missing or malformed.
        """
        if not isinstance(data, dict):
            raise FeedbackError(f"an answer must be an object; got {type(data).__name__}.")
        key, query_id = check_key(data.get("key")), check_query_id(data.get("query_id"))
        choice = data.get("choice")
        if not isinstance(choice, str) or choice not in {c.value for c in Choice}:
            raise FeedbackError(f"choice {choice!r} must be one of {', '.join(c.value for c in Choice)}.")
        takes_back = data.get("of")
        if (choice == Choice.UNDO.value) != isinstance(takes_back, str):
            raise FeedbackError("an undo, and only an undo, names the answer it takes back in 'of'.")
        if isinstance(takes_back, str) and not _KEY.fullmatch(takes_back):
            raise FeedbackError(f"'of' {takes_back!r} is not the key of an answer.")
        completes = data.get("completes")
        if completes is not None and not (isinstance(completes, str) and _KEY.fullmatch(completes)):
            raise FeedbackError(f"'completes' {completes!r} is not the key of an answer.")
        known = {"key", "query_id", "choice", "of", "completes", "is_swapped", "shown_at", "answered_at"}
        checked = _checked_details(Choice(choice), data)
        return cls(
            key=key,
            query_id=query_id,
            choice=Choice(choice),
            takes_back=takes_back,
            is_swapped=data.get("is_swapped") is True,
            completes=completes,
            shown_at=time_of(data.get("shown_at")),
            answered_at=time_of(data.get("answered_at")),
            details=checked | other_details(data, known | _CHECKED),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of one answer, and a line for the annotator where there is something to say."""

    key: str
    outcome: Outcome
    message: str | None = None


def record_answer(engine: sa.Engine, run_id: str, annotator_id: str, answer: Answer) -> Receipt:
    """Store one answer durably; calling it again with the same key changes nothing.

    Raises:
        StorageError: the database could not be written; the caller may try again.
    """
    with writing(engine) as connection:
        return append_answer(connection, run_id, annotator_id, answer)


def append_answer(connection: sa.Connection, run_id: str, annotator_id: str, answer: Answer) -> Receipt:
    """Do what ``record_answer`` does, in a transaction of the caller."""
    if answers.find_by_key(connection, answer.key) is not None:
        return Receipt(key=answer.key, outcome=Outcome.DUPLICATE)
    try:
        # Two answers to one pair at once could else supersede the same one, and both be counted.
        query = queries.get_query(connection, answer.query_id, lock=True)
    except NotFoundError:
        query = None
    if query is None or query["run_id"] != run_id:
        return _rejected(answer, "this pair does not belong to the run")
    if answer.choice is Choice.UNDO:
        return _take_back(connection, query, annotator_id, answer)
    return _store(connection, query, annotator_id, answer)


def _store(connection: sa.Connection, query: sa.RowMapping, annotator_id: str, answer: Answer) -> Receipt:
    is_late = query["status"] is QueryStatus.EXPIRED
    answer = _without_moment_outside(connection, query, answer)
    earlier = answers.standing_answer(connection, query["id"], annotator_id)
    if answer.completes is not None:
        if earlier is None or earlier["key"] != answer.completes:
            return _rejected(answer, "the answer that the reason belongs to was taken back or replaced")
        answer = _completed(answer, earlier, query)
    _append(connection, query, annotator_id, answer, None if earlier is None else earlier["id"], is_late)
    if is_late:
        message = "This pair had expired; your answer is kept but not learned from."
        return Receipt(key=answer.key, outcome=Outcome.LATE, message=message)
    given = answers.count_standing_of_query(connection, query["id"])
    queries.note_answer(connection, query, given, by=annotator_id)
    if answer.completes is not None:
        return Receipt(key=answer.key, outcome=Outcome.SAVED)
    if earlier is not None:
        return Receipt(key=answer.key, outcome=Outcome.SAVED, message="Your earlier answer was replaced.")
    return Receipt(key=answer.key, outcome=Outcome.SAVED)  # of others who were asked too nothing is said


def _without_moment_outside(connection: sa.Connection, query: sa.RowMapping, answer: Answer) -> Answer:
    """Return the answer without its moment if the clips have no such frame: the rest of it still counts."""
    if "moment" not in answer.details:
        return answer
    sides = [segments.get_segment_row(connection, query[side]) for side in ("left_id", "right_id")]
    if answer.details["moment"]["frame"] < max(side["clip_frames"] or 0 for side in sides):
        return answer
    rest = {name: value for name, value in answer.details.items() if name != "moment"}
    return dataclasses.replace(answer, details=rest)


def _completed(answer: Answer, earlier: sa.RowMapping, query: sa.RowMapping) -> Answer:
    """Return the earlier answer once more, with the reason that came afterwards in place of its own."""
    reason = {name: answer.details[name] for name in _REASON if name in answer.details}
    return dataclasses.replace(
        answer,
        choice=earlier["choice"],
        is_swapped=earlier["left_id"] != query["left_id"],
        shown_at=earlier["shown_at"],
        answered_at=earlier["answered_at"],
        details={k: v for k, v in earlier["details"].items() if k not in _REASON} | reason,
    )


def _take_back(connection: sa.Connection, query: sa.RowMapping, annotator_id: str, answer: Answer) -> Receipt:
    undone = answers.find_by_key(connection, answer.takes_back or "")
    if undone is None or undone["query_id"] != query["id"] or undone["annotator_id"] != annotator_id:
        return _rejected(answer, "there is no such answer of yours to take back")
    standing = answers.standing_answer(connection, query["id"], annotator_id)
    if standing is None or standing["id"] != undone["id"]:
        return _rejected(answer, "that answer had been taken back or replaced already")
    _append(connection, query, annotator_id, answer, undone["id"], is_late=False)
    if query["status"] is QueryStatus.ANSWERED:
        queries.note_answer(connection, query, answers.count_standing_of_query(connection, query["id"]))
    return Receipt(key=answer.key, outcome=Outcome.SAVED)


def _append(
    connection: sa.Connection,
    query: sa.RowMapping,
    annotator_id: str,
    answer: Answer,
    supersedes: int | None,
    is_late: bool,
) -> None:
    sides = (query["left_id"], query["right_id"])
    left_id, right_id = reversed(sides) if answer.is_swapped else sides
    answers.insert_answer(
        connection,
        run_id=query["run_id"],
        query_id=query["id"],
        annotator_id=annotator_id,
        key=answer.key,
        choice=answer.choice,
        left_id=left_id,
        right_id=right_id,
        supersedes=supersedes,
        is_late=is_late,
        reward_version=query["reward_version"],
        policy_version=query["policy_version"],
        shown_at=answer.shown_at,
        answered_at=answer.answered_at,
        details=dict(answer.details),
    )


def check_key(key: Any) -> str:
    """Return the idempotency key of an answer.

    Raises:
        FeedbackError: it cannot be one.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise FeedbackError(f"answer key {key!r} must be 8 to 64 letters, digits, '-' or '_'.")
    return key


def check_query_id(query_id: Any) -> str:
    """Return the id of a query.

    Raises:
        FeedbackError: it cannot be one.
    """
    if not isinstance(query_id, str) or not _QUERY_ID.fullmatch(query_id):
        raise FeedbackError(f"query_id {query_id!r} must be the id of a pair.")
    return query_id


def _rejected(answer: Answer, why: str) -> Receipt:
    return Receipt(key=answer.key, outcome=Outcome.REJECTED, message=f"Not saved: {why}.")


def _checked_details(choice: Choice, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return those details that mean something to the program, after checking them."""
    checked: dict[str, Any] = {}
    if (strength := data.get("strength")) is not None:
        if choice not in (Choice.LEFT, Choice.RIGHT):
            raise FeedbackError(f"only 'left' and 'right' have a strength; got one with {choice.value!r}.")
        if isinstance(strength, bool) or strength not in _STRENGTHS:
            raise FeedbackError(f"strength {strength!r} must be 1 (better) or 2 (much better).")
        checked["strength"] = int(strength)
    if (both_bad := data.get("both_bad")) is not None:
        if both_bad is not True or choice is not Choice.EQUAL:
            raise FeedbackError(
                f"'both_bad' may only be true, with 'equal'; got {both_bad!r}, {choice.value!r}."
            )
        checked["both_bad"] = True
    if tags := data.get("tags"):
        if not isinstance(tags, list) or len(tags) > _MAX_TAGS:
            raise FeedbackError(f"'tags' must be a list of at most {_MAX_TAGS}.")
        if not all(isinstance(tag, str) and 0 < len(tag) <= _MAX_TAG for tag in tags):
            raise FeedbackError(f"each tag must be a text of 1 to {_MAX_TAG} characters; got {tags!r}.")
        checked["tags"] = list(dict.fromkeys(tags))
    if comment := data.get("comment"):
        if not isinstance(comment, str) or len(comment) > _MAX_COMMENT:
            raise FeedbackError(f"'comment' must be a text of at most {_MAX_COMMENT} characters.")
        checked["comment"] = comment
    if (moment := data.get("moment")) is not None:
        frame = moment.get("frame") if isinstance(moment, dict) else None
        if not isinstance(frame, int) or isinstance(frame, bool) or not 0 <= frame < _MAX_FRAME:
            raise FeedbackError(
                f"'moment' must be {{'frame': n}} with 0 <= n < {_MAX_FRAME}; got {moment!r}."
            )
        checked["moment"] = {"frame": frame}
    return checked


def time_of(value: Any) -> float | None:
    """Convert an ISO time or seconds since the epoch; anything else is not a time."""
    try:
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (ValueError, OverflowError):  # no date, or a whole number too large for a float
        return None
    return None


def other_details(data: Mapping[str, Any], known: Set[str]) -> dict[str, Any]:
    """Return what else came with an answer, cut to a size that can be kept."""
    rest = {str(k)[:40]: _small(v) for k, v in data.items() if k not in known | _OF_OTHER_FORMS}
    return dict(list(rest.items())[:_MAX_OTHERS])


def _small(value: Any) -> Any:
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)[:500]  # NaN and infinity too: JSON has no word for them
