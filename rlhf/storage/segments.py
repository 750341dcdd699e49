"""Segments, their clips, and, apart from them, their true rewards."""

import time
import uuid
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.blobs import Blobs
from rlhf.storage.schema import segment_truths, segments
from rlhf.types.experience import Float64, Segment

CLIP = (segments.c.clip, segments.c.clip_fps, segments.c.clip_frames, segments.c.strip)
"""Columns with what a player needs of a drawn segment."""


def insert_segment(
    connection: sa.Connection, run_id: str, segment: Segment, arrays: str, true_rewards: str | None
) -> str:
    """Add a segment whose arrays (and true rewards) are already stored as blobs; return its id."""
    segment_id = uuid.uuid4().hex
    connection.execute(
        segments.insert().values(
            id=segment_id,
            run_id=run_id,
            arrays=arrays,
            policy_version=segment.policy_version,
            created_at=time.time(),
        )
    )
    if true_rewards is not None:
        connection.execute(segment_truths.insert().values(segment_id=segment_id, true_rewards=true_rewards))
    return segment_id


def get_segment_row(connection: sa.Connection, segment_id: str) -> sa.RowMapping:
    """Return a segment's row.

    Raises:
        NotFoundError: there is no such segment.
    """
    row = connection.execute(sa.select(segments).where(segments.c.id == segment_id)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no segment {segment_id!r}.")
    return row


def newest_segment(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return the row of a run's newest segment, or None where it has none."""
    query = sa.select(segments).where(segments.c.run_id == run_id).order_by(segments.c.created_at.desc())
    return connection.execute(query.limit(1)).mappings().first()


def load_segment(connection: sa.Connection, blobs: Blobs, segment_id: str) -> Segment:
    """Return a segment with its arrays."""
    arrays, _ = blobs.read_arrays(get_segment_row(connection, segment_id)["arrays"])
    return Segment.from_arrays(arrays)


def set_clip(
    connection: sa.Connection,
    segment_id: str,
    *,
    clip: str,
    poster: str,
    fps: float,
    frames: int,
    ended_at_frame: int | None,
    strip: str | None = None,
) -> None:
    """Record that a segment has been drawn."""
    drawn = {"clip": clip, "poster": poster, "strip": strip}
    connection.execute(
        segments.update()
        .where(segments.c.id == segment_id)
        .values(drawn | {"clip_fps": fps, "clip_frames": frames, "ended_at_frame": ended_at_frame})
    )


def true_reward_blobs(connection: sa.Connection, segment_ids: Sequence[str]) -> dict[str, str]:
    """Return the blobs of those segments' true rewards that are known, by id; as ``load_true_rewards``."""
    query = sa.select(segment_truths).where(segment_truths.c.segment_id.in_(list(segment_ids)))
    return {row.segment_id: row.true_rewards for row in connection.execute(query)}


def load_true_rewards(connection: sa.Connection, blobs: Blobs, segment_ids: Sequence[str]) -> list[Float64]:
    """Return the true rewards (L,) of segments; for teachers and evaluation only.

    Raises:
        NotFoundError: a segment has no true reward.
    """
    names = true_reward_blobs(connection, segment_ids)
    missing = [s for s in segment_ids if s not in names]
    if missing:
        raise NotFoundError(
            f"segment {missing[0]} has no true reward, so a synthetic teacher cannot judge it."
        )
    return [np.asarray(blobs.read_arrays(names[s])[0]["true_rewards"], np.float64) for s in segment_ids]


def find_true_rewards(connection: sa.Connection, blobs: Blobs, segment_id: str) -> Float64 | None:
    """Return the true rewards (L,) of a segment, for teachers and evaluation only; None where it has none."""
    query = sa.select(segment_truths.c.true_rewards).where(segment_truths.c.segment_id == segment_id)
    name = connection.scalar(query)
    return None if name is None else np.asarray(blobs.read_arrays(name)[0]["true_rewards"], np.float64)
