"""Little clips whose every frame says which clip and which frame it is, in black and white blocks."""

import tempfile
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, FPS, FRAMES, BLOCK = 320, 240, 30, 60, 40
LONG_FRAMES = 1000

# Reads a video element: {clip, frame}, or null when there is no picture of ours in it.
READ_BARCODE = """
window.readBarcode = (video) => {
  const canvas = (window.barcodeCanvas ??= new OffscreenCanvas(8, 6));
  const context = (window.barcodeContext ??= canvas.getContext('2d', {willReadFrequently: true}));
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, 8, 6);
  if (!video || video.readyState < 2) return null;
  context.drawImage(video, 0, 0, 8, 6);
  const pixels = context.getImageData(0, 0, 8, 6).data;
  if (pixels[3] === 0) return null;
  const bit = (x, y) => (pixels[4 * (8 * y + x)] > 127 ? 1 : 0);
  const row = (y) => [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, x) => sum * 2 + bit(x, y), 0);
  return {clip: row(0), frame: row(5)};
};
"""


def barcode_clip(number: int, frames: int = FRAMES, *, noise: bool = False) -> bytes:
    """Return an mp4 whose top blocks show ``number`` and whose bottom blocks show the frame, 8 bits each.

    With ``noise`` between them the file takes about a kilobyte per frame. The index comes first, as in clips
    of the app, so that it plays while it loads.
    """
    rng = np.random.default_rng(number)
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        _write(file.name, number, frames, rng if noise else None)
        return Path(file.name).read_bytes()


def _write(path: str, number: int, frames: int, rng: np.random.Generator | None) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"g": "10", "bf": "0", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            pixels = _picture(number, index % 256)
            if rng is not None:
                pixels[150:180] = rng.integers(0, 256, (30, WIDTH, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _picture(number: int, frame: int) -> npt.NDArray[np.uint8]:
    hue = np.array([60 + 37 * number % 150, 60 + 91 * number % 150, 60 + 53 * number % 150], np.uint8)
    picture = np.broadcast_to(hue, (HEIGHT, WIDTH, 3)).copy()
    for bit in range(8):
        columns = slice(bit * BLOCK, (bit + 1) * BLOCK)
        picture[:BLOCK, columns] = 255 if number >> (7 - bit) & 1 else 0
        picture[-BLOCK:, columns] = 255 if frame >> (7 - bit) & 1 else 0
    left = frame * (WIDTH - 30) // FRAMES
    picture[110:140, left : left + 30] = 255
    return picture
