"""A run -> what pages show of its looking ahead: returns with it and without, and a clip."""

from collections.abc import Callable

import sqlalchemy as sa

from rlhf.clips.encode import encode_mp4
from rlhf.errors import JobStoppedError, NotFoundError, RenderError, TaskError
from rlhf.loop.film_foresight import film_run_foresight
from rlhf.loop.foresee_run import RunForesightConfig, evaluate_foresight, foresee_run
from rlhf.loop.note_progress import progress_noted
from rlhf.storage import foresights
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing

EPISODES = 16
"""With foresight, and as many without."""
_CLIPS = 4
_USUAL = RunForesightConfig()


def make_foresight(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    check: Callable[[], None] = lambda: None,
    config: RunForesightConfig = _USUAL,
) -> None:
    """Measure what looking ahead would bring a run, and keep what is found.

    Args:
        engine: of the store.
        blobs: of the store.
        run_id: of the run, as ``order_foresight`` had it.
        check: called often; ends the work by raising.
        config: how it looks ahead.

    Raises:
        JobStoppedError: somebody stopped it.
        JobError: the run has learned nothing to look ahead with.
    """
    with reading(engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    if row is None or row["begun_at"] is None:
        raise JobStoppedError("nobody wants to know any more.")

    def note(connection: sa.Connection, done: int, in_all: int, text: str) -> bool:
        return foresights.note_progress(connection, run_id, done, in_all, text)

    progress = progress_noted(engine, note, check, what="looking ahead")
    seen = foresee_run(engine, blobs, run_id, config, progress)
    found, episode = evaluate_foresight(seen, EPISODES, progress)
    clip = None
    try:
        frames, fps = film_run_foresight(seen, episode, _CLIPS, progress), seen.task.playback_fps
        clip = blobs.write(encode_mp4(frames, fps), "mp4")
        found |= {"clip_fps": fps, "clip_frames": len(frames)}
    except (TaskError, RenderError) as error:
        found["not_drawn"] = str(error)
    stopped: NotFoundError | None = None
    with writing(engine) as connection:
        try:
            unused = foresights.finish(connection, run_id, found, clip)
        except NotFoundError as error:
            stopped, unused = error, None if foresights.is_shown(connection, clip) else clip
    if unused is not None:
        blobs.delete(unused)
    if stopped is not None:
        raise JobStoppedError(str(stopped)) from stopped
