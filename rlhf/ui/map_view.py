"""The map of behaviour as the web server sees it: how it stands, and its points as a browser takes them."""

import dataclasses
import functools
import json
import struct
import time

import numpy as np

from rlhf.loop.behaviour_map import BehaviourMap, read_map
from rlhf.storage import jobs, maps
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState
from rlhf.ui.background_job import why_it_failed
from rlhf.ui.store import Store, open_store

_RENEW_S = 30.0
"""A map that is out of date is brought up to date while somebody looks, but no more often than this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapView:
    """How the map of a run stands."""

    map_id: str | None
    """Of the map on show, or None while there is none."""
    reward_version: int
    """That its rewards are of; 0 without a reward."""
    num_done: int
    """Stored segments that have been read, of ``num_segments``."""
    num_segments: int
    age_s: float
    """Since it was last worked on."""
    is_old: bool
    """Whether the run has something that it does not show."""
    is_waiting: bool
    """Whether a worker has it, or is to take it."""
    error: str | None
    """Why the last attempt failed."""


def view_map(store: Store, run_id: str) -> MapView:
    """Read how the map of a run stands.

    Raises:
        NotFoundError: there is no such run.
    """
    with reading(store.engine) as connection:
        now = maps.what_there_is(connection, run_id)
        row = maps.get_map(connection, run_id)
        job = jobs.find(connection, JobKind.MAP, run_id)
    state = None if job is None else job["state"]
    return MapView(
        map_id=None if row is None else row["arrays"].partition(".")[0],
        reward_version=0 if row is None else row["shows"]["reward_version"],
        num_done=0 if row is None else row["num_done"],
        num_segments=0 if row is None else row["num_segments"],
        age_s=0.0 if row is None else time.time() - row["updated_at"],
        is_old=row is None or row["draft"] is not None or row["shows"] != now,
        is_waiting=state in (JobState.WAITING, JobState.CLAIMED),
        error=None if job is None or state is not JobState.FAILED else why_it_failed(job),
    )


def order_map(store: Store, run_id: str) -> None:
    """Have the map of a run brought up to date."""
    with writing(store.engine) as connection:
        jobs.enqueue(connection, run_id, JobKind.MAP, run_id)


def keep_up(store: Store, run_id: str, view: MapView) -> None:
    """Have a map brought up to date that is out of date, unless that has failed or was done just now."""
    is_due = view.map_id is None or view.age_s > _RENEW_S
    if view.is_old and is_due and not view.is_waiting and view.error is None:
        order_map(store, run_id)


def status_text(view: MapView) -> str:
    """Return how a map stands, for people."""
    if view.error is not None:
        return f"The map could not be brought up to date: {view.error}"
    if view.map_id is None and view.is_waiting:
        return "The map is being made; it appears in a moment."
    if view.map_id is None:
        return "Nothing to show yet: behaviour appears here with the first questions and recordings."
    scored = f"scored by reward version {view.reward_version}" if view.reward_version else "not scored yet"
    said = f"All behaviour that was stored, by what it looks like, {scored}"
    if view.is_waiting and view.num_done < view.num_segments:
        return f"{said}. Reading what is new: {view.num_done:,} of {view.num_segments:,}."
    return f"{said}." if not view.is_old else f"{said}. There is more by now."


def current_map(store: Store, run_id: str) -> tuple[str, BehaviourMap] | None:
    """Return the id and the points of the map of a run that is on show, or None if there is none.

    Raises:
        NotFoundError: it has just been replaced by a newer one.
        StorageError: it cannot be read.
    """
    with reading(store.engine) as connection:
        row = maps.get_map(connection, run_id)
    return None if row is None else (row["arrays"].partition(".")[0], _read(row["arrays"]))


@functools.lru_cache(maxsize=2)
def packed(map_id: str) -> bytes:
    """Return the points of a map as a browser takes them.

    The length of a JSON header, the header, and columns one after another, in the order of ``points.js``. All
    numbers are little-endian.
    """
    drawn = _read(f"{map_id}.npz")
    header = {
        "points": len(drawn),
        "id_bytes": drawn.segment_id.itemsize,
        "axes": drawn.facts.axis_names,
        "explained": drawn.projection.explained.tolist(),
        "reward_version": drawn.facts.reward_version,
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)  # so that the numbers behind it lie where numbers may
    columns = (
        drawn.place.astype("<f4"),
        drawn.reward.astype("<f4"),
        drawn.spread.astype("<f4"),
        drawn.policy_version.astype("<i4"),
        drawn.start.astype("<i4"),
        drawn.source,
        drawn.verdict,
        drawn.segment_id,
    )
    return struct.pack("<I", len(text)) + text + b"".join(np.ascontiguousarray(c).tobytes() for c in columns)


@functools.lru_cache(maxsize=2)
def _read(name: str) -> BehaviourMap:
    return read_map(open_store().blobs, name)  # a blob's name says all that is in it
