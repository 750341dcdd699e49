"""Files -> answers: what ``export_answers`` wrote, checked line by line before anything is stored.

Then everything is added in one transaction, or nothing. Importing the same files twice adds nothing. True
rewards that an export may hold are left where they are.
"""

import dataclasses
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.export_answers import FORMAT, FORMAT_VERSION, RUN_COLUMNS
from rlhf.storage import answer_changes, answer_dump, runs, schema
from rlhf.storage.answer_load import Loader
from rlhf.storage.archives import Archive
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.storage.portable import from_json
from rlhf.types.experience import Segment
from rlhf.types.feedback import ChangeKind, Choice
from rlhf.types.run import QueryStatus, RunState

Rows = Iterator[dict[str, Any]]
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BLOB = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
_MAX_DETAILS = 50
_MAX_ARRAYS = 512 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import added."""

    run_id: str
    is_new_run: bool
    num_answers: int
    """Rows of answers that were not there before, undos and voids included."""
    num_known: int
    """Rows that were."""
    num_segments: int


def import_answers(engine: sa.Engine, blobs: Blobs, path: Path, run_id: str, *, by: str) -> Imported:
    """Add the answers of an export to a run, or to a new one of that name.

    Args:
        engine: of the store.
        blobs: where arrays and clips go.
        path: a folder or zip file that ``export_answers`` wrote.
        run_id: which run; it is made, not started, if there is none.
        by: for the log.

    Raises:
        FeedbackError: a file or line is not as it should be; nothing was stored.
        NotFoundError: there is no such file.
        StorageError: the store could not be written; nothing was added to the run.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise FeedbackError(f"{run_id!r} cannot be the id of a run: 1 to 64 letters, digits, '-' or '_'.")
    with Archive(path) as archive:
        run = _checked_run(archive.manifest)
        source = _Source(archive)
        number = source.check()
        shapes = _store_blobs(archive, blobs, source)
        _check_fits(engine, blobs, run_id, shapes)
        with writing(engine) as connection:
            is_new = _make_run(connection, run_id, run)
            loader = Loader(connection, run_id)
            loader.people(source.rows("people.jsonl"))
            loader.changes(source.rows("changes.jsonl"))
            loader.segments(source.rows("segments.jsonl"))
            loader.queries(source.rows("queries.jsonl"))
            loader.answers(source.rows("answers.jsonl"))
            added = loader.added.get("answers", 0)
            if added:
                change_id = answer_changes.insert_change(
                    connection, run_id, ChangeKind.IMPORT, by=by[:64], reason=f"from {path.name}"[:500]
                )
                answer_changes.add_to_change(connection, change_id, added)
    return Imported(
        run_id=run_id,
        is_new_run=is_new,
        num_answers=added,
        num_known=number - added,
        num_segments=loader.added.get("segments", 0),
    )


class _Source:
    """The rows of an export, checked: first all of them, then again one by one as they are stored."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.arrays: dict[str, str] = {}
        """Blob of the arrays of each segment."""
        self.clips: set[str] = set()
        self._ids: dict[str, set[str]] = {}
        self._superseded: set[str] = set()
        self._files: dict[str, tuple[sa.Table, tuple[str, ...], Callable[[dict[str, Any]], None]]] = {
            "people.jsonl": (schema.annotators, answer_dump.PERSON_COLUMNS, self._check_id),
            "changes.jsonl": (schema.answer_changes, answer_dump.CHANGE_COLUMNS, self._check_change),
            "segments.jsonl": (
                schema.segments,
                answer_dump.SEGMENT_COLUMNS + answer_dump.CLIP_COLUMNS,
                self._check_segment,
            ),
            "queries.jsonl": (schema.queries, answer_dump.QUERY_COLUMNS, self._check_query),
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
                if name == "answers.jsonl":
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

    def _check_query(self, row: dict[str, Any]) -> None:
        self._check_id(row, "queries.jsonl")
        for side in ("left_id", "right_id"):
            self._check_known("segments.jsonl", row[side])

    def _check_answer(self, row: dict[str, Any]) -> None:
        for name, column in (
            ("people.jsonl", "annotator_id"),
            ("changes.jsonl", "change_id"),
            ("queries.jsonl", "query_id"),
            ("segments.jsonl", "left_id"),
            ("segments.jsonl", "right_id"),
            ("answers.jsonl", "supersedes"),
        ):
            self._check_known(name, row[column])
        self._check_id(row, "answers.jsonl", "key")
        earlier = row["supersedes"]
        if row["choice"] is Choice.UNDO and earlier is None:
            raise FeedbackError("an undo must supersede an answer.")
        if earlier is not None:
            if earlier in self._superseded:
                raise FeedbackError(f"answer {earlier!r} is superseded twice.")
            self._superseded.add(earlier)


def _with_details(row: dict[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with the key that it supersedes, and what is not known here kept in its details."""
    earlier = others.get("supersedes")
    if not (earlier is None or isinstance(earlier, str)):
        raise FeedbackError("'supersedes' must be the key of an answer.")
    details = row["details"]
    if not isinstance(details, dict) or len(details) > _MAX_DETAILS:
        raise FeedbackError(f"'details' must be an object of at most {_MAX_DETAILS} entries.")
    tags, comment = details.get("tags", []), details.get("comment", "")
    if not (
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) and isinstance(comment, str)
    ):
        raise FeedbackError("'tags' must be a list of texts and 'comment' a text.")
    unknown = {name: value for name, value in others.items() if name != "supersedes"}
    if len(unknown) > _MAX_DETAILS:
        raise FeedbackError(f"there are {len(unknown)} unknown entries; at most {_MAX_DETAILS} are kept.")
    checked, _ = from_json(schema.answers, {"details": unknown | details}, ("details",))
    return row | checked | {"supersedes": earlier}


def _checked_run(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a new run takes from the export."""
    if manifest.get("format") != FORMAT or manifest.get("format_version") != FORMAT_VERSION:
        raise FeedbackError(
            f"its format is {manifest.get('format')!r} {manifest.get('format_version')!r}; "
            f"{FORMAT!r} {FORMAT_VERSION} is read."
        )
    try:
        row, _ = from_json(schema.runs, manifest.get("run"), RUN_COLUMNS)
    except FeedbackError as error:
        raise FeedbackError(f"the run in its manifest: {error}") from error
    if not isinstance(row["overrides"], dict) or row["total_steps"] < 1:
        raise FeedbackError(
            "the run in its manifest needs 'overrides', an object, and 'total_steps' of 1 or more."
        )
    return row


def _make_run(connection: sa.Connection, run_id: str, run: Mapping[str, Any]) -> bool:
    """Add the run if there is none of that id; return whether it was added."""
    try:
        runs.get_run(connection, run_id)
    except NotFoundError:
        values = {name: run[name] for name in RUN_COLUMNS if name not in ("id", "created_at")}
        states = {"wanted": RunState.PAUSED, "state": RunState.CREATED}
        now = time.time()
        connection.execute(
            schema.runs.insert().values(
                id=run_id,
                created_at=now,
                updated_at=now,
                message="Imported; not started.",
                **values,
                **states,
            )
        )
        return True
    return False


def _store_blobs(archive: Archive, blobs: Blobs, source: _Source) -> set[tuple[Any, ...]]:
    """Store arrays and clips, harmless while nothing refers to them; return the shapes of segments."""
    shapes = set()
    for name in dict.fromkeys(source.arrays.values()):
        data = archive.read(f"segments/{name}")
        shapes.add(_shape(f"segments/{name}", data))
        _store(blobs, name, data)
    for name in sorted(source.clips):
        _store(blobs, name, archive.read(f"clips/{name}"))
    if len(shapes) > 1:
        raise FeedbackError(f"segments of one run must be alike; these have {sorted(map(str, shapes))}.")
    return shapes


def _store(blobs: Blobs, name: str, data: bytes) -> None:
    if blobs.write(data, name.split(".")[1]) != name:
        raise FeedbackError(f"the bytes of {name} do not fit its name.")


def _shape(name: str, data: bytes) -> tuple[Any, ...]:
    """Check the arrays of a segment, and return what must be alike for all that are learned from."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(info.file_size for info in packed.infolist())
        if size > _MAX_ARRAYS:
            raise FeedbackError(f"{name} holds {size} bytes of arrays; at most {_MAX_ARRAYS} are read.")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            segment = Segment.from_arrays({key: archive[key] for key in archive.files})
    except (ValueError, KeyError, TypeError, EOFError, OSError, MemoryError, zipfile.BadZipFile) as error:
        raise FeedbackError(f"{name} is not a segment: {error}") from error
    for part in (segment.observations, segment.actions):
        if not np.issubdtype(part.dtype, np.number) or not np.isfinite(part).all():
            raise FeedbackError(f"{name} holds values that are no numbers.")
    return segment.observations.shape, segment.actions.shape


def _check_fits(engine: sa.Engine, blobs: Blobs, run_id: str, shapes: set[tuple[Any, ...]]) -> None:
    """Refuse segments that cannot be learned from together with those the run has."""
    with reading(engine) as connection:
        own = next(answer_dump.dump_segments(connection, run_id), None)
    if own is None or not shapes:
        return
    segment = Segment.from_arrays(blobs.read_arrays(own["arrays"])[0])
    if (segment.observations.shape, segment.actions.shape) not in shapes:
        raise FeedbackError(
            f"the segments of the file, {shapes.pop()}, are not like those of run {run_id}, "
            f"{(segment.observations.shape, segment.actions.shape)}: another task, or another length."
        )
