import numpy as np
import pytest

from rlhf.clips.resize import fit_frame
from rlhf.errors import RenderError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((400, 600), (320, 480)),
        ((500, 500), (400, 400)),
        ((210, 160), (420, 320)),  # enlarged: the longer side was below 320
        ((321, 333), (320, 332)),  # cropped to even sides, not resampled
        ((1080, 1920), (270, 480)),
    ],
)
def test_sides(given, wanted):
    assert fit_frame(np.zeros((*given, 3), np.uint8)).shape == (*wanted, 3)


def test_a_fitting_picture_is_left_as_it_is():
    frame = np.random.default_rng(0).integers(0, 256, (336, 448, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_frame(frame), frame)


def test_shrinking_keeps_the_mean_colour():
    frame = np.zeros((400, 600, 3), np.uint8)
    frame[:, 300:] = [200, 100, 50]
    np.testing.assert_allclose(fit_frame(frame).mean(axis=(0, 1)), [100, 50, 25], atol=1.0)


@pytest.mark.parametrize("frame", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32)])
def test_other_arrays_are_refused(frame):
    with pytest.raises(RenderError, match="rgb_array"):
        fit_frame(frame)
