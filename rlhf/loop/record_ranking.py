"""Several clips put in order, on the way into the store.

The clips are those of two pairs, so a ranking answers both: each pair gets the row of its own that the order
says (the better one, or "can't tell" where neither was placed), and all that reads answers sees it there. The
order itself is kept beside, and is what the reward model learns from as long as both rows stand. Undo takes
both back. All in one transaction.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.feedback.targets import choice_of_places
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
from rlhf.storage import queries, rankings
from rlhf.storage.engine import writing
from rlhf.storage.rankings import RANKING
from rlhf.types.feedback import Choice

_SIDES = ("left", "right")
_NUM_PAIRS = 2
_KEY = re.compile(r"[A-Za-z0-9_-]{8,60}")
"""Shorter than other keys: the rows of the pairs get keys made from it."""
Place = tuple[str, str]
"""A clip as the browser names it: the id of its query, and its side."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
    """One ranking, or the undo of one, as it arrives, checked for form."""

    key: str
    query_ids: tuple[str, ...]
    places: tuple[Place, ...] = ()
    """The clips in order, best first; those left out are worse and in no order. Empty is "can't tell"."""
    takes_back: str | None = None
    """Key of the ranking that is taken back."""
    shown_at: float | None = None
    answered_at: float | None = None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Ranking":
        """Check and convert one ranking of a request.

        Raises:
            FeedbackError: a field is missing or malformed.
        """
        key, takes_back = data.get("key"), data.get("of")
        for name, value in (("key", key), ("of", takes_back)):
            if (value is not None or name == "key") and not (
                isinstance(value, str) and _KEY.fullmatch(value)
            ):
                raise FeedbackError(f"{name!r} {value!r} must be 8 to 60 letters, digits, '-' or '_'.")
        ids = data.get("query_ids")
        if not isinstance(ids, list) or len(ids) != _NUM_PAIRS:
            raise FeedbackError(f"'query_ids' must name {_NUM_PAIRS} pairs; got {ids!r}.")
        query_ids = tuple(check_query_id(one) for one in ids)
        known = {"form", "key", "of", "query_ids", "places", "shown_at", "answered_at"}
        return cls(
            key=check_key(key),
            query_ids=query_ids,
            places=_checked_places(data.get("places", []), query_ids),
            takes_back=takes_back,
            shown_at=time_of(data.get("shown_at")),
            answered_at=time_of(data.get("answered_at")),
            details=other_details(data, known),
        )


def record_ranking(engine: sa.Engine, run_id: str, annotator_id: str, ranking: Ranking) -> Receipt:
    """Store one ranking durably, or take one back; calling it again with the same key changes nothing.

    Raises:
        FeedbackError: it cannot be a ranking of this run, or nothing is to be taken back; nothing was stored.
        NotFoundError: there is no such pair; nothing was stored.
        StorageError: the database could not be written; the caller may try again.
    """
    with writing(engine) as connection:
        # In one order whoever asks, so that two rankings never wait for each other.
        for query_id in sorted(ranking.query_ids):
            queries.get_query(connection, query_id, lock=True)
        parts = _undos(ranking) if ranking.takes_back else _answers(ranking)
        receipts = [append_answer(connection, run_id, annotator_id, part) for part in parts]
        outcomes = [receipt.outcome for receipt in receipts]
        if Outcome.DUPLICATE in outcomes:
            return Receipt(key=ranking.key, outcome=Outcome.DUPLICATE)
        refused = [receipt for receipt in receipts if receipt.outcome is Outcome.REJECTED]
        # Of a ranking one pair may have been answered anew meanwhile; the other is taken back all the same.
        if len(refused) == len(parts) or (refused and not ranking.takes_back):
            raise FeedbackError(str(refused[0].message))
        if not ranking.takes_back:
            _insert(connection, run_id, ranking)
    worst = Outcome.LATE if Outcome.LATE in outcomes else Outcome.SAVED
    message = next((r.message for r in receipts if r.message and r.outcome is worst), None)
    return Receipt(key=ranking.key, outcome=worst, message=message)


def _insert(connection: sa.Connection, run_id: str, ranking: Ranking) -> None:
    rows = {query_id: queries.get_query(connection, query_id) for query_id in ranking.query_ids}
    shown = [(query_id, side) for query_id in ranking.query_ids for side in _SIDES]
    order = [*ranking.places, *(clip for clip in shown if clip not in ranking.places)]
    ids = [rows[query_id][f"{side}_id"] for query_id, side in order]
    if len(set(ids)) < len(ids):
        raise FeedbackError("the pairs of a ranking must not share a clip.")
    # The last place is given with the one before.
    rankings.insert_ranking(connection, run_id, ranking.key, ids, min(len(ranking.places), len(ids) - 1))


def _answers(ranking: Ranking) -> list[Answer]:
    place = {clip: number for number, clip in enumerate(ranking.places)}
    return [
        Answer(
            key=key,
            query_id=query_id,
            choice=choice_of_places(*(place.get((query_id, side)) for side in _SIDES)),
            shown_at=ranking.shown_at,
            answered_at=ranking.answered_at,
            details={**ranking.details, RANKING: ranking.key},
        )
        for key, query_id in zip(_keys(ranking.key), ranking.query_ids, strict=True)
    ]


def _undos(ranking: Ranking) -> list[Answer]:
    undone = _keys(str(ranking.takes_back))
    return [
        Answer(key=key, query_id=query_id, choice=Choice.UNDO, takes_back=of)
        for key, of, query_id in zip(_keys(ranking.key), undone, ranking.query_ids, strict=True)
    ]


def _keys(key: str) -> list[str]:
    """Return the keys of the rows of a ranking's pairs."""
    return [f"{key}-{number}" for number in range(1, _NUM_PAIRS + 1)]


def _checked_places(places: Any, query_ids: tuple[str, ...]) -> tuple[Place, ...]:
    shown = [(query_id, side) for query_id in query_ids for side in _SIDES]
    if not isinstance(places, list) or not all(isinstance(place, list) for place in places):
        raise FeedbackError(f"'places' must be a list of [query id, side]; got {places!r}.")
    given = tuple(tuple(place) for place in places)
    if len(set(map(repr, given))) < len(given) or any(clip not in shown for clip in given):
        raise FeedbackError(f"'places' may name each clip of the pairs once; got {places!r}.")
    return given
