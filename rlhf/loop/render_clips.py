"""Segments -> clips: draws what a query or a replay needs and marks it ready."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import sqlalchemy as sa

from rlhf.clips.encode import encode_mp4, poster_png
from rlhf.clips.render import SegmentRenderer, ended_at_frame
from rlhf.clips.resize import Frame
from rlhf.clips.strip import episode_strip
from rlhf.errors import RenderError, RlhfError
from rlhf.experience.tasks import get_task, make_env
from rlhf.storage import queries, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Segment
from rlhf.types.run import QueryStatus
from rlhf.types.task import Task


class _Encoded(NamedTuple):
    mp4: bytes
    poster: bytes
    strip: bytes | None
    num_frames: int


def _encode(frames: Frame, task: Task) -> _Encoded:
    mp4 = encode_mp4(frames, task.playback_fps)
    return _Encoded(mp4, poster_png(frames), episode_strip(frames, task), len(frames))


class ClipMaker:
    """Draws segments of any run, keeping one renderer per task.

    Args:
        engine: the store's database.
        blobs: the store's files.
    """

    def __init__(self, engine: sa.Engine, blobs: Blobs) -> None:
        self._engine, self._blobs = engine, blobs
        self._renderers: dict[str, SegmentRenderer] = {}

    def render_query(self, query_id: str) -> None:
        """Draw both segments of a query and mark it ready; nothing to do if it is no longer open.

        Raises:
            RenderError: the environment cannot be drawn; the query is marked failed.
            StorageError: the clip could not be written; the query waits.
        """
        with reading(self._engine) as connection:
            query = queries.get_query(connection, query_id)
            task = get_task(runs.get_run(connection, query["run_id"])["task"])
        if query["status"] is not QueryStatus.RENDERING:
            return
        try:
            self.render_segments(task, query["left_id"], query["right_id"])
        except RenderError:
            with writing(self._engine) as connection:
                queries.give_up_rendering(connection, query_id)
            raise
        with writing(self._engine) as connection:
            if queries.get_query(connection, query_id)["status"] is QueryStatus.RENDERING:
                queries.set_status(connection, query_id, QueryStatus.READY)

    def render_segments(self, task: Task, *segment_ids: str) -> None:
        """Draw the segments that have not been drawn; one is encoded while the next is being drawn.

        Raises:
            RenderError: the environment cannot be drawn.
            StorageError: a clip could not be written.
        """
        with ThreadPoolExecutor(max_workers=1) as encoder:
            encoding = []
            for segment_id in segment_ids:
                with reading(self._engine) as connection:
                    row = segments.get_segment_row(connection, segment_id)
                    segment = segments.load_segment(connection, self._blobs, segment_id)
                if row["clip"] is None:
                    frames = self._frames(task, segment)
                    encoding.append((segment_id, segment, encoder.submit(_encode, frames, task)))
            for segment_id, segment, encoded in encoding:
                self._store(task, segment_id, segment, encoded.result())

    def describe(self) -> str:
        """Say how the tasks so far are drawn."""
        return "; ".join(f"{name}: {renderer.describe()}" for name, renderer in self._renderers.items())

    def close(self) -> None:
        """Release the simulators and pictures."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _store(self, task: Task, segment_id: str, segment: Segment, encoded: _Encoded) -> None:
        clip = self._blobs.write(encoded.mp4, "mp4")
        poster = self._blobs.write(encoded.poster, "png")
        strip = None if encoded.strip is None else self._blobs.write(encoded.strip, "jpg")
        with writing(self._engine) as connection:
            segments.set_clip(
                connection,
                segment_id,
                clip=clip,
                poster=poster,
                strip=strip,
                fps=task.playback_fps,
                frames=encoded.num_frames,
                ended_at_frame=ended_at_frame(segment, task.frame_skip),
            )

    def _frames(self, task: Task, segment: Segment) -> Frame:
        try:
            return self._renderer(task).frames(segment)
        except RlhfError:
            raise
        except Exception as error:  # an environment of somebody else's may raise anything when it is drawn
            raise RenderError(
                f"the environment {task.env_id!r} cannot be drawn: {type(error).__name__}: {error}"
            ) from error

    def _renderer(self, task: Task) -> SegmentRenderer:
        if task.name not in self._renderers:
            self._renderers[task.name] = SegmentRenderer(task, lambda **options: make_env(task, **options))
        return self._renderers[task.name]
