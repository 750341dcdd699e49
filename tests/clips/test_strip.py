"""An episode at a glance: which moments, how large, and what an early end looks like."""

import imageio.v3 as iio
import numpy as np
import pytest

from rlhf.clips.strip import HEIGHT, episode_strip
from rlhf.types.task import STRIP_MOMENTS, Task

TASK = Task(
    name="t", goal="Do it", env_id="E", horizon=141, segment_steps=20, frame_skip=2, playback_fps=30.0
)  # 71 frames: a moment every tenth


def film(num_frames: int) -> np.ndarray:  # type: ignore[type-arg]
    """Frames that grow brighter by three each, in one colour."""
    shades = (3 * np.arange(num_frames)).astype(np.uint8)
    return np.broadcast_to(shades[:, None, None, None], (num_frames, 120, 160, 3)).copy()


def shades_of(strip: bytes) -> list[float]:
    picture = iio.imread(strip)
    assert picture.shape == (HEIGHT, STRIP_MOMENTS * 96, 3)
    return [float(part.mean()) for part in np.split(picture, STRIP_MOMENTS, axis=1)]


def test_moments_are_spread_over_the_horizon() -> None:
    strip = episode_strip(film(71), TASK)
    assert strip is not None
    assert shades_of(strip) == pytest.approx([30.0 * k for k in range(STRIP_MOMENTS)], abs=3)


def test_where_an_episode_has_ended_its_last_picture_is_greyed() -> None:
    strip = episode_strip(film(35), TASK)
    assert strip is not None
    shades = shades_of(strip)
    assert shades[:4] == pytest.approx([0, 30, 60, 90], abs=3)
    assert shades[4:] == pytest.approx([28 + 0.5 * 102] * 4, abs=3)


def test_clips_of_pairs_have_none() -> None:
    assert episode_strip(film(11), TASK) is None
    assert episode_strip(film(12), TASK) is not None


def test_a_strip_is_small() -> None:
    strip = episode_strip(film(71), TASK)
    assert strip is not None
    assert len(strip) < 20_000
