"""Files -> answers and demonstrations: what ``export_answers`` wrote, checked before anything is stored.

Every line is looked at first; then everything is added in one transaction, or nothing. Importing the same
files twice adds nothing. True rewards that an export may hold are left where they are.
"""

import dataclasses
import io
import re
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.check_export import Source
from rlhf.loop.export_answers import FORMAT, FORMAT_VERSION, RUN_COLUMNS
from rlhf.storage import answer_changes, answer_dump, demonstrations, jobs, runs, schema
from rlhf.storage.answer_load import Loader
from rlhf.storage.archives import Archive
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.storage.portable import from_json
from rlhf.storage.segments import load_segment
from rlhf.types.experience import Segment
from rlhf.types.feedback import ChangeKind
from rlhf.types.run import JobKind, RunState

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
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
    num_demonstrations: int


class _Shape(NamedTuple):
    """What must be alike for all segments that are learned from; the length, only of those compared."""

    num_steps: int
    observation: tuple[int, ...]
    action: tuple[int, ...]


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
        source = Source(archive)
        number = source.check()
        _check_fits(engine, blobs, run_id, *_store_blobs(archive, blobs, source))
        with writing(engine) as connection:
            is_new = _make_run(connection, run_id, run)
            loader = Loader(connection, run_id)
            loader.people(source.rows("people.jsonl"))
            loader.changes(source.rows("changes.jsonl"))
            loader.segments(source.rows("segments.jsonl"))
            loader.demonstrations(source.rows("demonstrations.jsonl"))
            _have_drawn(connection, run_id)
            loader.queries(source.rows("queries.jsonl"))
            loader.rankings(source.rows("rankings.jsonl"))
            loader.ratings(source.rows("ratings.jsonl"))
            loader.acts(source.rows("acts.jsonl"))
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
        num_demonstrations=loader.added.get("demonstrations", 0),
    )


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


def _have_drawn(connection: sa.Connection, run_id: str) -> None:
    """Ask for the clips of demonstrations that came without one."""
    for row in demonstrations.list_demonstrations(connection, run_id):
        if row["clip"] is None:
            jobs.enqueue(connection, run_id, JobKind.DRAW, row["segment_id"])


def _store_blobs(archive: Archive, blobs: Blobs, source: Source) -> tuple[set[_Shape], set[_Shape]]:
    """Store arrays and clips, harmless while nothing refers to them.

    Returns:
        The shapes of the segments that are compared, and of all.
    """
    shapes: dict[str, _Shape] = {}
    for name in dict.fromkeys(source.arrays.values()):
        data = archive.read(f"segments/{name}")
        shapes[name] = _shape(f"segments/{name}", data)
        _store(blobs, name, data)
    for name in sorted(source.clips):
        _store(blobs, name, archive.read(f"clips/{name}"))
    for segment_id, num_steps in source.shown.items():
        stored = shapes[source.arrays[segment_id]].num_steps
        if stored != num_steps:
            raise FeedbackError(f"segment {segment_id}, a demonstration of {num_steps} steps, has {stored}.")
    asked, seen = {shapes[source.arrays[one]] for one in source.asked}, set(shapes.values())
    if not _are_alike(asked, seen):
        raise FeedbackError(f"segments of one run must be alike; these have {sorted(seen)}.")
    return asked, seen


def _store(blobs: Blobs, name: str, data: bytes) -> None:
    if blobs.write(data, name.split(".")[1]) != name:
        raise FeedbackError(f"the bytes of {name} do not fit its name.")


def _shape(name: str, data: bytes) -> _Shape:
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
    return _shape_of(segment)


def _shape_of(segment: Segment) -> _Shape:
    return _Shape(segment.num_steps, segment.observations.shape[1:], segment.actions.shape[1:])


def _are_alike(asked: set[_Shape], seen: set[_Shape]) -> bool:
    return len(asked) <= 1 and len({(one.observation, one.action) for one in seen}) <= 1


def _check_fits(engine: sa.Engine, blobs: Blobs, run_id: str, asked: set[_Shape], seen: set[_Shape]) -> None:
    """Refuse segments that cannot be learned from together with those the run has."""
    own_asked, own_seen = set[_Shape](), set[_Shape]()
    with reading(engine) as connection:
        if (query := next(answer_dump.dump_queries(connection, run_id), None)) is not None:
            own_asked.add(_shape_of(load_segment(connection, blobs, query["left_id"])))
        if (row := next(answer_dump.dump_segments(connection, run_id), None)) is not None:
            own_seen.add(_shape_of(Segment.from_arrays(blobs.read_arrays(row["arrays"])[0])))
    if not _are_alike(asked | own_asked, seen | own_seen):
        raise FeedbackError(
            f"the segments of the file, {sorted(asked or seen)}, are not like those of run {run_id}, "
            f"{sorted(own_asked or own_seen)}: another task, or another length."
        )
