import numpy as np
import pytest

from rlhf.clips.encode import decode_mp4, encode_mp4, poster_png
from rlhf.errors import RenderError

BITS = 8


def barcodes(count: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Frames whose columns spell their own index in binary, lowest bit left."""
    bits = (np.arange(count)[:, None] >> np.arange(BITS)) & 1
    columns = np.repeat(bits, width // BITS, axis=1).astype(np.uint8) * 255
    return np.ascontiguousarray(np.broadcast_to(columns[:, None, :, None], (count, height, width, 3)))


def read_barcodes(frames: np.ndarray) -> np.ndarray:
    stripes = frames.mean(axis=(1, 3)).reshape(len(frames), BITS, -1).mean(axis=2)
    return ((stripes > 127) << np.arange(BITS)).sum(axis=1)


def test_every_frame_comes_back_once_and_in_order():
    decoded = decode_mp4(encode_mp4(barcodes(143), 30))
    assert read_barcodes(decoded).tolist() == list(range(143))


def test_colours_survive():
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    frames[:] = [236, 140, 66]
    assert np.abs(decode_mp4(encode_mp4(frames, 25)).astype(int) - frames).max() <= 6


def test_same_frames_give_the_same_bytes():
    assert encode_mp4(barcodes(30), 30) == encode_mp4(barcodes(30), 30)


def test_the_index_stands_before_the_pictures():
    clip = encode_mp4(barcodes(30), 30)
    assert 0 < clip.index(b"moov") < clip.index(b"mdat")


def test_a_fractional_rate_gives_the_right_duration():
    import io

    import av

    with av.open(io.BytesIO(encode_mp4(barcodes(50), 12.5))) as container:
        assert container.duration / av.time_base == pytest.approx(4.0, abs=0.01)


def test_a_single_frame_is_a_clip():
    assert len(decode_mp4(encode_mp4(barcodes(1), 30))) == 1


def test_odd_sides_are_refused():
    with pytest.raises(RenderError, match="even"):
        encode_mp4(np.zeros((2, 33, 32, 3), np.uint8), 30)


@pytest.mark.parametrize("shape", [(0, 32, 32, 3), (32, 32, 3), (2, 32, 32, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(RenderError, match="uint8"):
        encode_mp4(np.zeros(shape, np.uint8), 30)


def test_float_frames_are_refused():
    with pytest.raises(RenderError, match="float64"):
        poster_png(np.zeros((2, 32, 32, 3)))


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(fps):
    with pytest.raises(RenderError, match="fps"):
        encode_mp4(barcodes(2), fps)


def test_garbage_is_no_clip():
    with pytest.raises(RenderError, match="cannot be read"):
        decode_mp4(b"not a clip")


def test_poster_is_the_middle_frame():
    import imageio.v3 as iio

    frames = barcodes(9)
    np.testing.assert_array_equal(iio.imread(poster_png(frames), extension=".png"), frames[4])
