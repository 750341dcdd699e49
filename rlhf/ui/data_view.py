"""What the Data page shows, read in one go, and the words for it. Knows no widgets."""

import dataclasses
import datetime
import re
import zoneinfo
from typing import Any

import sqlalchemy as sa

from rlhf.storage import answer_changes, answer_search
from rlhf.storage.answer_search import AnswerFilter, AnswerStatus
from rlhf.storage.engine import reading
from rlhf.storage.rankings import RANKING
from rlhf.storage.ratings import RATINGS
from rlhf.types.feedback import ChangeKind, Choice, QueryKind

PAGE_ROWS = 20
_LOG_ROWS = 30
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")

CHOICES = {
    Choice.LEFT: "Left better",
    Choice.RIGHT: "Right better",
    Choice.EQUAL: "Equal",
    Choice.SKIP: "Can't tell",
    Choice.UNDO: "Taken back",
}
KINDS = {
    QueryKind.INITIAL: "First pairs",
    QueryKind.ACTIVE: "Chosen by the model",
    QueryKind.AUDIT: "Random check",
    QueryKind.CONTEST: "Old against new",
    QueryKind.PICKED: "Picked by hand",
    QueryKind.REPEAT: "Shown again",
    QueryKind.GOLD: "Gold pair",
    QueryKind.WIN_RATE: "Blind comparison",
}
STATUSES = {
    AnswerStatus.STANDING: "Counts",
    AnswerStatus.LATE: "Late",
    AnswerStatus.VOIDED: "Set aside",
    AnswerStatus.UNDONE: "Undone",
    AnswerStatus.REPLACED: "Replaced",
}
MEANINGS = {
    AnswerStatus.STANDING: "It stands, and the reward model learns from it.",
    AnswerStatus.LATE: "It stands, but came after its pair had expired: kept, not learned from.",
    AnswerStatus.VOIDED: "A researcher set it aside: kept, not learned from.",
    AnswerStatus.UNDONE: "Whoever gave it took it back.",
    AnswerStatus.REPLACED: "A later answer of the same person to the same pair took its place.",
}
_DONE = {
    ChangeKind.VOID: "set aside",
    ChangeKind.RESTORE: "brought back",
    ChangeKind.ANSWER: "answered anew:",
    ChangeKind.IMPORT: "imported",
}
_TELLING = {"strength", "both_bad", "tags", "comment", RANKING, RATINGS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataPage:
    """One page of the list."""

    rows: list[sa.RowMapping]
    number: int
    """Answers that the filter finds, on all pages."""
    number_standing: int
    """Those among them that can be set aside."""
    has_newer: bool
    has_older: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerView:
    """One answer with everything about it."""

    row: sa.RowMapping
    history: list[sa.RowMapping]
    """Every row about its pair, in the order they came."""

    @property
    def status(self) -> AnswerStatus:
        """What has become of it."""
        return AnswerStatus(self.row["status"])

    @property
    def standing_key(self) -> str | None:
        """Key of what stands now of the same person's answers to the pair, if anything does."""
        superseded = {row["supersedes"] for row in self.history}
        own = [row for row in self.history if row["annotator_id"] == self.row["annotator_id"]]
        stand = [row for row in own if row["id"] not in superseded and row["choice"] is not Choice.UNDO]
        return stand[-1]["key"] if stand else None


def view_page(
    engine: sa.Engine, wanted: AnswerFilter, *, before_id: int | None = None, after_id: int | None = None
) -> DataPage:
    """Read the page of answers older than ``before_id``, or newer than ``after_id``, or the newest."""
    limit = PAGE_ROWS + 1
    with reading(engine) as connection:
        rows = answer_search.find_answers(
            connection, wanted, limit=limit, before_id=before_id, after_id=after_id
        )
        if after_id is not None and len(rows) < limit:  # the first page again, and a whole one
            before_id, after_id = None, None
            rows = answer_search.find_answers(connection, wanted, limit=limit)
        number = answer_search.count_answers(connection, wanted)
        is_standing = wanted.status in (AnswerStatus.STANDING, AnswerStatus.LATE)
        standing = (
            number if is_standing else answer_search.count_answers(connection, wanted, standing_only=True)
        )
    is_full = len(rows) > PAGE_ROWS
    return DataPage(
        rows=rows[1:] if is_full and after_id is not None else rows[:PAGE_ROWS],
        number=number,
        number_standing=standing,
        has_newer=before_id is not None or after_id is not None,
        has_older=is_full or after_id is not None,
    )


def view_answer(engine: sa.Engine, run_id: str, key: str) -> AnswerView:
    """Read one answer and the history of its pair.

    Raises:
        NotFoundError: the run has no such answer.
    """
    with reading(engine) as connection:
        row = answer_search.get_answer(connection, run_id, key)
        return AnswerView(row=row, history=answer_search.history(connection, row["query_id"]))


def view_people(engine: sa.Engine, run_id: str) -> dict[str, str]:
    """Return how those are called who have answered in a run, by id."""
    with reading(engine) as connection:
        return {
            found: person_name(name, found) for found, name in answer_search.list_people(connection, run_id)
        }


def view_log(engine: sa.Engine, run_id: str) -> list[sa.RowMapping]:
    """Read the latest acts of researchers on a run's answers, the newest first."""
    with reading(engine) as connection:
        return answer_changes.list_changes(connection, run_id, _LOG_ROWS)


def person_name(name: str | None, person_id: str) -> str:
    """Return a name that tells people apart who are all called the same."""
    return f"{name} {person_id[:4]}" if name in ("Annotator", "Researcher") else name or person_id


def choice_text(choice: Choice, details: dict[str, Any]) -> str:
    """Return an answer in words, with its strength."""
    if details.get("both_bad"):
        return "Both bad"
    much = {Choice.LEFT: "Left much better", Choice.RIGHT: "Right much better"}
    return much[choice] if details.get("strength") == 2 and choice in much else CHOICES[choice]


def reason_text(details: dict[str, Any]) -> str:
    """Return tags and comment in one line, or nothing."""
    parts = [", ".join(details.get("tags", ())), details.get("comment", "")]
    return " · ".join(part for part in parts if part)


def form_text(details: dict[str, Any]) -> str:
    """Return how an answer was given, unless both clips were compared; then nothing."""
    if RANKING in details:
        return "by putting the clips of two pairs in order"
    if RATINGS in details:
        values = ["can't tell" if value is None else str(value) for value in details[RATINGS]]
        return f"by rating each clip from 1 to 5: {' and '.join(values)}"
    return ""


def history_text(row: sa.RowMapping) -> str:
    """Return what one row of a pair's history says, as plain text."""
    who = person_name(row["name"], row["annotator_id"])
    if row["change_id"] is None:
        verb = "took the answer back" if row["choice"] is Choice.UNDO else "answered"
        said = "" if row["choice"] is Choice.UNDO else f" {choice_text(row['choice'], row['details'])}"
        return f"{who} {verb}{said}"
    by = person_name(None, row["changed_by"]) if row["changed_by"] != row["annotator_id"] else who
    why = f": {row['change_reason']}" if row["change_reason"] else ""
    if row["choice"] is Choice.UNDO:
        return f"{by} set the answer of {who} aside{why}"
    if row["change_kind"] is ChangeKind.ANSWER:
        return f"{who} answered anew {choice_text(row['choice'], row['details'])}{why}"
    return f"{by} brought {choice_text(row['choice'], row['details'])} of {who} back{why}"


def change_text(change: sa.RowMapping) -> str:
    """Return what one act of the log did, as plain text."""
    number = change["num_answers"]
    who = person_name(change["name"], change["by"])
    why = f": {change['reason']}" if change["reason"] else ""
    return f"{who} {_DONE[change['kind']]} {number:,} answer{'' if number == 1 else 's'}{why}"


def other_details(row: sa.RowMapping) -> dict[str, Any]:
    """Return what the browser said beside what is shown in words."""
    return {key: value for key, value in row["details"].items() if key not in _TELLING}


def time_text(seconds: float | None, timezone: str | None) -> str:
    """Return a time as people of a time zone write it, with the year unless it is this one.

    UTC is meant where the zone is not known.
    """
    if seconds is None:
        return "unknown"
    zone = zone_of(timezone)
    moment = datetime.datetime.fromtimestamp(seconds, zone)
    is_this_year = moment.year == datetime.datetime.now(zone).year
    return f"{moment:%d %b %H:%M}" if is_this_year else f"{moment:%d %b %Y %H:%M}"


def zone_of(timezone: str | None) -> datetime.tzinfo:
    """Return a time zone by its name, or UTC where it is not known."""
    try:
        return zoneinfo.ZoneInfo(timezone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.UTC


def plain(text: str) -> str:
    """Return text so that Markdown shows it as it was typed."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
