"""The rating of a single clip, on the way into the store.

A clip is asked about as one side of a pair. When both sides are rated, the pair is answered by what the
ratings say of it, and all that reads answers sees it there; what they say across pairs is up to
``feedback.targets``. Undo and a second rating of the same clip supersede, as with answers.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.feedback.targets import choice_of_ratings
from rlhf.loop.record_feedback import (
    Answer,
    Outcome,
    Receipt,
    append_answer,
    check_key,
    check_query_id,
    other_details,
    time_of,
)
from rlhf.storage import answers, queries, ratings
from rlhf.storage.engine import writing
from rlhf.storage.ratings import RATINGS
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus

VALUES = range(1, 6)
"""From very bad to very good."""
_SIDES = ("left", "right")
_LONGEST_KEY = 60
"""The row of the pair gets a key made from the rating's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rating:
    """One rating, or the undo of one, as it arrives, checked for form."""

    key: str
    query_id: str
    side: str
    rating: int | None = None
    """One of ``VALUES``, or None for "can't tell"."""
    takes_back: str | None = None
    """Key of the rating that is taken back."""
    shown_at: float | None = None
    answered_at: float | None = None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Rating":
        """Check and convert one rating of a request.

        Raises:
            FeedbackError: a field is missing or malformed.
        """
        key, side, value, takes_back = (data.get(name) for name in ("key", "side", "rating", "of"))
        if len(check_key(key)) > _LONGEST_KEY:
            raise FeedbackError(f"the key of a rating has at most {_LONGEST_KEY} characters.")
        if side not in _SIDES:
            raise FeedbackError(f"'side' {side!r} must be 'left' or 'right'.")
        if value is not None and (isinstance(value, bool) or value not in VALUES):
            raise FeedbackError(f"'rating' {value!r} must be 1 (very bad) to 5 (very good), or left out.")
        known = {"form", "key", "query_id", "side", "rating", "of", "shown_at", "answered_at"}
        return cls(
            key=str(key),
            query_id=check_query_id(data.get("query_id")),
            side=str(side),
            rating=None if value is None else int(value),
            takes_back=None if takes_back is None else check_key(takes_back),
            shown_at=time_of(data.get("shown_at")),
            answered_at=time_of(data.get("answered_at")),
            details=other_details(data, known),
        )


def record_rating(engine: sa.Engine, run_id: str, annotator_id: str, rating: Rating) -> Receipt:
    """Store one rating durably, or take one back; calling it again with the same key changes nothing.

    Raises:
        FeedbackError: it cannot be a rating of this run, or nothing is to be taken back; nothing was stored.
        NotFoundError: there is no such pair; nothing was stored.
        StorageError: the database could not be written; the caller may try again.
    """
    with writing(engine) as connection:
        if ratings.find_rating(connection, rating.key) is not None:
            return Receipt(key=rating.key, outcome=Outcome.DUPLICATE)
        query = queries.get_query(connection, rating.query_id, lock=True)
        if query["run_id"] != run_id:
            raise FeedbackError("this clip does not belong to the run.")
        is_late = query["status"] is QueryStatus.EXPIRED
        _append(connection, query, annotator_id, rating, is_late=is_late)
        _answer_pair(connection, query, annotator_id, rating)
    if is_late:
        message = "This clip had expired; your rating is kept but not learned from."
        return Receipt(key=rating.key, outcome=Outcome.LATE, message=message)
    return Receipt(key=rating.key, outcome=Outcome.SAVED)


def _append(
    connection: sa.Connection, query: sa.RowMapping, annotator_id: str, rating: Rating, *, is_late: bool
) -> None:
    segment_id = query[f"{rating.side}_id"]
    standing = ratings.standing_ratings_of_query(connection, query["id"], annotator_id).get(segment_id)
    if rating.takes_back is not None and (standing is None or standing["key"] != rating.takes_back):
        raise FeedbackError("there is no such rating of yours to take back.")
    ratings.insert_rating(
        connection,
        run_id=query["run_id"],
        query_id=query["id"],
        segment_id=segment_id,
        annotator_id=annotator_id,
        key=rating.key,
        rating=None if rating.takes_back else rating.rating,
        is_undo=rating.takes_back is not None,
        supersedes=None if standing is None else standing["id"],
        is_late=is_late,
        shown_at=rating.shown_at,
        answered_at=rating.answered_at,
        details=dict(rating.details),
    )


def _answer_pair(connection: sa.Connection, query: sa.RowMapping, annotator_id: str, rating: Rating) -> None:
    """Answer the pair by the ratings of both its clips, or take back what they had answered."""
    rated = ratings.standing_ratings_of_query(connection, query["id"], annotator_id)
    values = [rated[query[f"{side}_id"]]["rating"] for side in _SIDES if query[f"{side}_id"] in rated]
    key = f"{rating.key}-1"
    if len(values) == len(_SIDES):
        answer = Answer(
            key=key,
            query_id=query["id"],
            choice=choice_of_ratings(*values),
            shown_at=rating.shown_at,
            answered_at=rating.answered_at,
            details={**rating.details, RATINGS: values},
        )
        append_answer(connection, query["run_id"], annotator_id, answer)
        return
    standing = answers.standing_answer(connection, query["id"], annotator_id)
    if standing is not None and RATINGS in standing["details"]:
        undo = Answer(key=key, query_id=query["id"], choice=Choice.UNDO, takes_back=standing["key"])
        append_answer(connection, query["run_id"], annotator_id, undo)
