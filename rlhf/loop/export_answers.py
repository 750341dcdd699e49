"""Answers and demonstrations -> files: everything (jsonl), or answers as a table (csv) or arrays (npz).

Everything, as a folder or a zip file:

    manifest.json     format, version, the run, SHA-256 and length of each other file
    answers.jsonl     one row per line in the order they came; undos and voids supersede by key
    rankings.jsonl  ratings.jsonl    what else was answered; a ranking's pairs have answers that name it
    acts.jsonl        who was paused or weighed, which pairs are gold; the last of a kind on a subject holds
    demonstrations.jsonl    episodes that were shown: whose, and from where on
    queries.jsonl  segments.jsonl  people.jsonl  changes.jsonl
    segments/*.npz    observations (L+1, D), actions, what is needed to show it again; named by SHA-256
    clips/*           with clips: mp4 and png
    true_rewards.jsonl  true_rewards/*.npz    only where they are asked for, and apart from all else
"""

import csv
import datetime
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from rlhf import __version__
from rlhf.storage import answer_dump, runs
from rlhf.storage.archives import Entry, with_manifest
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading

FORMAT = "preference-studio-answers"
FORMAT_VERSION = 1
RUN_COLUMNS = ("id", "task", "goal", "seed", "overrides", "total_steps", "created_at")
_LINES = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TABLE = (
    *("key", "annotator_id", "name", "is_teacher", "choice", "strength", "both_bad", "tags", "comment"),
    *("status", "query_kind", "query_id", "left_id", "right_id", "predicted", "reward_version"),
    *("policy_version", "shown_at", "answered_at", "received_at", "seconds"),
)


def everything(
    engine: sa.Engine, blobs: Blobs, run_id: str, *, clips: bool = False, with_true_rewards: bool = False
) -> Iterator[Entry]:
    """Yield the files of a whole export of a run.

    The database is read as it was at the first file, whatever is answered meanwhile.

    Raises:
        NotFoundError: there is no such run, or a file of its is gone.
        StorageError: the database or a file cannot be read.
    """
    with reading(engine) as connection:
        row = runs.get_run(connection, run_id)
        manifest = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "program": __version__,
            "run": {name: row[name] for name in RUN_COLUMNS},
        }
        entries = _files(connection, blobs, run_id, clips=clips, with_true_rewards=with_true_rewards)
        yield from with_manifest(entries, manifest)


def table(engine: sa.Engine, run_id: str) -> Iterator[bytes]:
    """Yield a flat table of the answers as CSV; no cell can be taken for a formula by a spreadsheet.

    Raises:
        NotFoundError: there is no such run.
    """
    with reading(engine) as connection:
        runs.get_run(connection, run_id)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_TABLE)
        for number, row in enumerate(answer_dump.dump_table(connection, run_id), start=1):
            writer.writerow([safe_cell(value) for value in _cells(row)])
            if number % _LINES == 0:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs: an apostrophe goes in front of what begins like a formula."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _cells(row: sa.RowMapping) -> Iterator[Any]:
    details = row["details"]
    tags = ", ".join(str(tag) for tag in details.get("tags", ()))
    has_times = row["shown_at"] is not None and row["answered_at"] is not None
    made: dict[str, Any] = {
        "choice": row["choice"].value,
        "query_kind": row["query_kind"] and row["query_kind"].value,
        "seconds": round(row["answered_at"] - row["shown_at"], 3) if has_times else None,
        **{name: details.get(name) for name in ("strength", "both_bad", "comment")},
        "tags": tags,
        **{name: _iso(row[name]) for name in ("shown_at", "answered_at", "received_at")},
    }
    return (made[name] if name in made else row[name] for name in _TABLE)


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def _files(
    connection: sa.Connection, blobs: Blobs, run_id: str, *, clips: bool, with_true_rewards: bool
) -> Iterator[Entry]:
    def segments() -> Iterator[dict[str, Any]]:
        return answer_dump.dump_segments(connection, run_id, clips=clips)

    yield _lines("answers.jsonl", answer_dump.dump_answers(connection, run_id))
    yield _lines("rankings.jsonl", answer_dump.dump_rankings(connection, run_id))
    yield _lines("ratings.jsonl", answer_dump.dump_ratings(connection, run_id))
    yield _lines("acts.jsonl", answer_dump.dump_acts(connection, run_id))
    yield _lines("demonstrations.jsonl", answer_dump.dump_demonstrations(connection, run_id))
    yield _lines("queries.jsonl", answer_dump.dump_queries(connection, run_id))
    yield _lines("segments.jsonl", segments())
    yield _lines("people.jsonl", answer_dump.dump_people(connection, run_id))
    yield _lines("changes.jsonl", answer_dump.dump_changes(connection, run_id))
    yield from _blobs(blobs, "segments", (row["arrays"] for row in segments()))
    if clips:
        yield from _blobs(blobs, "clips", (row[name] for row in segments() for name in ("clip", "poster")))
    if with_true_rewards:
        yield _lines("true_rewards.jsonl", answer_dump.dump_truths(connection, run_id))
        truths = answer_dump.dump_truths(connection, run_id)
        yield from _blobs(blobs, "true_rewards", (row["true_rewards"] for row in truths))


def _lines(name: str, rows: Iterable[dict[str, Any]]) -> Entry:
    def chunks() -> Iterator[bytes]:
        lines = []
        for row in rows:
            lines.append(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
            if len(lines) == _LINES:
                yield "".join(lines).encode()
                lines.clear()
        yield "".join(lines).encode()

    return Entry(name=name, chunks=chunks())


def _blobs(blobs: Blobs, folder: str, names: Iterable[str | None]) -> Iterator[Entry]:
    """Yield each blob once; names are few and short enough to be remembered."""
    seen: set[str] = set()
    for name in names:
        if name is not None and name not in seen:
            seen.add(name)
            yield Entry(name=f"{folder}/{name}", chunks=[blobs.read(name)], is_packed=True)
