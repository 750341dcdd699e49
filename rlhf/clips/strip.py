"""An episode at a glance: a few of its moments side by side in one small picture.

The moments are the same steps for every episode of a task, so that strips can be compared; where an episode
has ended before, its last picture stays, greyed.
"""

import math

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from rlhf.clips.encode import frame_jpeg
from rlhf.clips.render import dim
from rlhf.clips.resize import Frame
from rlhf.errors import RenderError
from rlhf.types.task import STRIP_MOMENTS, Task

HEIGHT = 72
"""Pixels; twice what is shown is not worth it where forty are on one page."""


def episode_strip(frames: Frame, task: Task) -> bytes | None:
    """Return ``STRIP_MOMENTS`` moments of an episode as a JPEG; None for a clip as short as those of pairs.

    Args:
        frames: uint8 (F, H, W, 3), every ``task.frame_skip``-th step from the episode's first on.
        task: says how long an episode may last.

    Raises:
        RenderError: the pictures cannot be made smaller.
    """
    if len(frames) <= task.segment_steps // task.frame_skip + 1:
        return None
    last = task.horizon // task.frame_skip
    moments = np.linspace(0, last, STRIP_MOMENTS).astype(int)
    scaler = VideoReformatter()
    pictures = []
    for moment in moments.tolist():
        is_over = moment >= len(frames)
        picture = _shrink(frames[-1 if is_over else moment], scaler)
        pictures.append(dim(picture) if is_over else picture)
    return frame_jpeg(np.hstack(pictures))


def _shrink(frame: Frame, scaler: VideoReformatter) -> Frame:
    height, width = frame.shape[:2]
    new_width = max(2, math.ceil(width * HEIGHT / height / 2) * 2)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    try:
        small = scaler.reformat(picture, new_width, HEIGHT, interpolation="AREA", threads=1)
    except (av.FFmpegError, ValueError) as error:
        raise RenderError(f"a frame of {width} x {height} pixels cannot be made smaller: {error}.") from error
    return np.asarray(small.to_ndarray())
