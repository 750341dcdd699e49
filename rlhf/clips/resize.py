"""Brings a picture that an environment drew itself to a size that suits a clip."""

import math

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from rlhf.errors import RenderError

Frame = npt.NDArray[np.uint8]
"""(H, W, 3), RGB."""

MAX_SIDE = 480
"""Longest side of a clip, pixels: two of them fit side by side on a laptop."""

MAX_PIXELS = 400 * 400
"""Most pixels of a frame; encoding takes time in proportion to them."""

MIN_SIDE = 320
"""Smallest longest side; smaller pictures are enlarged by a whole number."""


def fit_frame(frame: Frame, scaler: VideoReformatter | None = None) -> Frame:
    """Return the picture with even sides, between ``MIN_SIDE`` and ``MAX_SIDE`` pixels on the longer one.

    Args:
        frame: uint8 (H, W, 3).
        scaler: kept between the frames of one thread it saves a third of the time.

    Raises:
        RenderError: it is not an RGB picture of 8 bits.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape) < 2:
        raise RenderError(
            f"the environment drew an array of shape {frame.shape} and type {frame.dtype}; "
            "uint8 (height, width, 3) is needed. Only environments that render 'rgb_array' can be shown."
        )
    longest = max(frame.shape[:2])
    if longest < MIN_SIDE:
        times = math.ceil(MIN_SIDE / longest)
        frame = frame.repeat(times, axis=0).repeat(times, axis=1)
    height, width = frame.shape[:2]
    shrink = min(1.0, MAX_SIDE / max(height, width), math.sqrt(MAX_PIXELS / (height * width)))
    if shrink == 1.0:
        return np.ascontiguousarray(frame[: height // 2 * 2, : width // 2 * 2])
    new_width, new_height = (max(2, round(side * shrink / 2) * 2) for side in (width, height))
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    scaler = scaler or VideoReformatter()
    small = scaler.reformat(picture, new_width, new_height, interpolation="AREA", threads=1)
    return np.asarray(small.to_ndarray())
