"""The rows of an export that anybody may have changed, checked line by line before any is stored."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.loop.record_rating import VALUES
from rlhf.storage import answer_dump, schema
from rlhf.storage.archives import Archive
from rlhf.storage.portable import from_json
from rlhf.storage.rankings import RANKING
from rlhf.storage.ratings import RATINGS
from rlhf.types.feedback import Choice, Strength
from rlhf.types.people import ActKind
from rlhf.types.run import QueryStatus

Rows = Iterator[dict[str, Any]]
_MAX_KEY = 64
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BLOB = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
_MAX_DETAILS = 50
_SUPERSEDING = ("answers.jsonl", "ratings.jsonl")


class Source:
    """The rows of an export, checked: first all of them, then again one by one as they are stored."""

    def __init__(self, archive: Archive) -> None:
        """Read from ``archive``."""
        self._archive = archive
        self.arrays: dict[str, str] = {}
        """Blob of the arrays of each segment."""
        self.asked: set[str] = set()
        """Segments that are compared: one must be as long as another."""
        self.shown: dict[str, int] = {}
        """Steps of each segment that is a demonstration."""
        self.clips: set[str] = set()
        self._ids: dict[str, set[str]] = {}
        self._superseded: set[tuple[str, str]] = set()
        self._files: dict[str, tuple[sa.Table, tuple[str, ...], Callable[[dict[str, Any]], None]]] = {
            "people.jsonl": (schema.annotators, answer_dump.PERSON_COLUMNS, self._check_id),
            "changes.jsonl": (schema.answer_changes, answer_dump.CHANGE_COLUMNS, self._check_change),
            "segments.jsonl": (
                schema.segments,
                answer_dump.SEGMENT_COLUMNS + answer_dump.CLIP_COLUMNS,
                self._check_segment,
            ),
            "demonstrations.jsonl": (
                schema.demonstrations,
                answer_dump.DEMONSTRATION_COLUMNS,
                self._check_demonstration,
            ),
            "queries.jsonl": (schema.queries, answer_dump.QUERY_COLUMNS, self._check_query),
            "rankings.jsonl": (schema.rankings, answer_dump.RANKING_COLUMNS, self._check_ranking),
            "ratings.jsonl": (schema.ratings, answer_dump.RATING_COLUMNS, self._check_rating),
            "acts.jsonl": (schema.acts, answer_dump.ACT_COLUMNS, self._check_act),
            "answers.jsonl": (schema.answers, answer_dump.ANSWER_COLUMNS, self._check_answer),
        }

    def check(self) -> int:
        """Check every line of every file; return how many rows of answers there are."""
        numbers = {}
        for name, (_, _, check) in self._files.items():
            self._ids[name] = set()
            numbers[name] = sum(1 for _ in self._read(name, check))
        return numbers["answers.jsonl"]

    def rows(self, name: str) -> Rows:
        """Yield the rows of a file that was checked before."""
        return self._read(name, lambda row: None)

    def _read(self, name: str, check: Callable[[dict[str, Any]], None]) -> Rows:
        table, columns, _ = self._files[name]
        for number, data in self._archive.objects(name):
            try:
                row, others = from_json(table, data, columns)
                if name in _SUPERSEDING:
                    row = _with_details(row, others)
                if row.get("status") in (QueryStatus.READY, QueryStatus.RENDERING):
                    row["status"] = QueryStatus.EXPIRED  # whoever asked is not here
                check(row)
            except FeedbackError as error:
                raise FeedbackError(f"{name} line {number}: {error}") from error
            yield row

    def _check_id(self, row: dict[str, Any], name: str = "people.jsonl", column: str = "id") -> None:
        found = row[column]
        if not _KEY.fullmatch(found):
            raise FeedbackError(f"{column} {found[:80]!r} must be 1 to 64 letters, digits, '-' or '_'.")
        if found in self._ids[name]:
            raise FeedbackError(f"{column} {found!r} is there twice.")
        self._ids[name].add(found)

    def _check_known(self, name: str, found: str | None) -> None:
        if found is not None and found not in self._ids[name]:
            raise FeedbackError(f"{found[:80]!r} is not in {name} before it is used.")

    def _check_change(self, row: dict[str, Any]) -> None:
        self._check_known("changes.jsonl", row["reverts"])
        self._check_id(row, "changes.jsonl")

    def _check_segment(self, row: dict[str, Any]) -> None:
        self._check_id(row, "segments.jsonl")
        for folder, names in (("segments", (row["arrays"],)), ("clips", (row["clip"], row["poster"]))):
            for name in names:
                if name is None:
                    continue
                if not _BLOB.fullmatch(name) or f"{folder}/{name}" not in self._archive:
                    raise FeedbackError(f"its file {folder}/{name[:80]} is not in the export.")
        self.arrays[row["id"]] = row["arrays"]
        self.clips |= {name for name in (row["clip"], row["poster"]) if name is not None}

    def _check_demonstration(self, row: dict[str, Any]) -> None:
        self._check_id(row, "demonstrations.jsonl")
        for segment in (row["segment_id"], row["origin_id"]):
            self._check_known("segments.jsonl", segment)
        self._check_known("people.jsonl", row["annotator_id"])
        if (row["origin_id"] is None) != (row["origin_step"] is None) or (row["origin_step"] or 0) < 0:
            raise FeedbackError(f"origin_step {row['origin_step']} must be 0 or more, and go with origin_id.")
        self.shown[row["segment_id"]] = row["num_steps"]

    def _check_query(self, row: dict[str, Any]) -> None:
        self._check_id(row, "queries.jsonl")
        for side in ("left_id", "right_id"):
            self._check_known("segments.jsonl", row[side])
            self.asked.add(row[side])
        self._check_known("queries.jsonl", row["again"])

    def _check_ranking(self, row: dict[str, Any]) -> None:
        self._check_id(row, "rankings.jsonl", "key")
        order = row["order"]
        if not isinstance(order, list) or not all(isinstance(segment, str) for segment in order):
            raise FeedbackError("'order' must be a list of ids of segments.")
        for segment in order:
            self._check_known("segments.jsonl", segment)
        if len(set(order)) < len(order):
            raise FeedbackError("'order' may name each segment once.")
        if not 0 <= row["num_ranked"] < len(order):
            raise FeedbackError(
                f"num_ranked {row['num_ranked']} must be at least 0 and less than the {len(order)} segments."
            )

    def _check_rating(self, row: dict[str, Any]) -> None:
        self._check_known("segments.jsonl", row["segment_id"])
        if row["rating"] is not None and row["rating"] not in VALUES:
            raise FeedbackError(f"rating {row['rating']} must be {VALUES[0]} to {VALUES[-1]}, or null.")
        self._check_said(row, "ratings.jsonl", is_undo=row["is_undo"])

    def _check_act(self, row: dict[str, Any]) -> None:
        kind, subject = row["kind"], row["subject"]
        if kind is ActKind.GOLD:
            self._check_known("queries.jsonl", subject)
        elif not _KEY.fullmatch(subject):
            raise FeedbackError(f"subject {subject!r} cannot be the id of a person.")
        if not kind.allows(row["value"]):
            raise FeedbackError(f"value {str(row['value'])[:80]!r} cannot be that of a {kind.value}.")

    def _check_answer(self, row: dict[str, Any]) -> None:
        self._check_known("changes.jsonl", row["change_id"])
        for side in ("left_id", "right_id"):
            self._check_known("segments.jsonl", row[side])
        self._check_said(row, "answers.jsonl", is_undo=row["choice"] is Choice.UNDO)
        _check_meaning(row["details"])

    def _check_said(self, row: dict[str, Any], name: str, *, is_undo: bool) -> None:
        self._check_known("people.jsonl", row["annotator_id"])
        self._check_known("queries.jsonl", row["query_id"])
        earlier = row["supersedes"]
        self._check_known(name, earlier)
        self._check_id(row, name, "key")
        if is_undo and earlier is None:
            raise FeedbackError("an undo must supersede an answer.")
        if earlier is not None:
            if (name, earlier) in self._superseded:
                raise FeedbackError(f"{earlier!r} is superseded twice.")
            self._superseded.add((name, earlier))


def _with_details(row: dict[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer or rating with the key it supersedes, and what is unknown kept in its details."""
    earlier = others.get("supersedes")
    if not (earlier is None or isinstance(earlier, str)):
        raise FeedbackError("'supersedes' must be the key of an answer.")
    details = row["details"]
    if not isinstance(details, dict) or len(details) > _MAX_DETAILS:
        raise FeedbackError(f"'details' must be an object of at most {_MAX_DETAILS} entries.")
    unknown = {name: value for name, value in others.items() if name != "supersedes"}
    if len(unknown) > _MAX_DETAILS:
        raise FeedbackError(f"there are {len(unknown)} unknown entries; at most {_MAX_DETAILS} are kept.")
    checked, _ = from_json(schema.answers, {"details": unknown | details}, ("details",))
    return row | checked | {"supersedes": earlier}


def _check_meaning(details: dict[str, Any]) -> None:
    """Check what is read of an answer's details; the rest is only kept."""
    tags, comment = details.get("tags", []), details.get("comment", "")
    if not (
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) and isinstance(comment, str)
    ):
        raise FeedbackError("'tags' must be a list of texts and 'comment' a text.")
    strength = details.get("strength")
    if isinstance(strength, bool) or strength not in (None, Strength.SLIGHT, Strength.CLEAR):
        raise FeedbackError(f"strength {strength!r} must be 1, 2 or left out.")
    # Exports of before rankings were among them name some that they do not hold: what their pairs say stays.
    ranking, values = details.get(RANKING, ""), details.get(RATINGS, [])
    if not isinstance(ranking, str) or len(ranking) > _MAX_KEY or not isinstance(values, list):
        raise FeedbackError(f"{RANKING!r} must be the key of a ranking and {RATINGS!r} a list.")
