"""Frames to an H.264 clip and a poster picture, in this process; and back, for checks."""

import fractions
import io
import math
import tempfile
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
from av.video.reformatter import VideoReformatter

from rlhf.clips.resize import Frame
from rlhf.errors import RenderError

_KEYFRAME_EVERY = 10
"""No B-frames and a key frame every ten make seeking exact and fast (about 10 ms in Chromium)."""

_OPTIONS = {"preset": "veryfast", "crf": "24", "bf": "0", "g": str(_KEYFRAME_EVERY)}
"""``superfast`` saves a quarter of the time and doubles the size; ``faster`` gives no smaller clips."""


_JPEG_QUALITY = 80


def encode_mp4(frames: Frame, fps: float) -> bytes:
    """Return the frames as an MP4 clip: H.264, yuv420p, index first so that it plays while it loads.

    The same frames give the same bytes.

    Args:
        frames: uint8 (F, H, W, 3), RGB; H and W even.
        fps: frames per second, > 0.

    Raises:
        RenderError: the frames or the rate cannot be encoded.
    """
    _check(frames)
    if not 0 < fps < math.inf:
        raise RenderError(f"fps is {fps}; it must be above 0.")
    # A file, not memory: the muxer opens its output again to move the index to the front.
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        path = Path(folder) / "clip.mp4"
        try:
            _write(path, frames, fractions.Fraction(fps).limit_denominator(1000))
        except (av.FFmpegError, ValueError, OSError) as error:
            raise RenderError(
                f"encoding {len(frames)} frames of {frames.shape[1:3]} failed: {error}."
            ) from error
        return path.read_bytes()


def decode_mp4(data: bytes) -> Frame:
    """Return all frames of a clip, uint8 (F, H, W, 3), RGB.

    Raises:
        RenderError: the bytes are not a clip.
    """
    try:
        with av.open(io.BytesIO(data)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.FFmpegError, IndexError) as error:
        raise RenderError(f"{len(data)} bytes cannot be read as a clip: {error}.") from error
    return np.stack(frames)


def poster_png(frames: Frame) -> bytes:
    """Return the middle frame as a PNG, to be shown before the clip is there.

    Raises:
        RenderError: there is no frame, or they are not RGB pictures.
    """
    _check(frames)
    return bytes(iio.imwrite("<bytes>", frames[len(frames) // 2], extension=".png"))


def frame_jpeg(frame: Frame) -> bytes:
    """Return one picture as a JPEG, to be sent at once; a few milliseconds and some ten kilobytes."""
    return bytes(iio.imwrite("<bytes>", frame, extension=".jpg", quality=_JPEG_QUALITY))


def _write(path: Path, frames: Frame, rate: fractions.Fraction) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=_OPTIONS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        converter = VideoReformatter()
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(converter.reformat(picture, format="yuv420p", threads=1)))
        container.mux(stream.encode())


def _check(frames: Frame) -> None:
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise RenderError(f"frames are {frames.dtype} {frames.shape}; uint8 (at least 1, H, W, 3) is needed.")
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise RenderError(f"frames are {frames.shape[1]} x {frames.shape[2]} pixels; H.264 needs even sides.")
