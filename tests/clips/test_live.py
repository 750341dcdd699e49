"""What a person sees while acting is what the clip will show."""

import numpy as np
import pytest

from rlhf.clips.live import LivePictures
from rlhf.clips.render import SegmentRenderer
from rlhf.experience.recording import EpisodeRecorder, Start, start_within
from rlhf.experience.tasks import get_task, make_env


@pytest.mark.parametrize("name", ["cartpole-balance", "lunarlander-land", "swimmer-run"])
def test_live_pictures_are_the_clips_frames(name: str) -> None:
    task = get_task(name)
    recorder = EpisodeRecorder(task, Start(reset_seed=3))
    action = 0 if recorder.action_space.kind == "discrete" else np.zeros(2, np.float32)
    for _ in range(4):
        recorder.step(action)
    recorder.begin(start_within(task, recorder.segment(), 2))
    pictures = LivePictures(lambda **options: make_env(task, **options))
    pictures.begin(recorder.start.reset_seed, recorder.start.actions)
    seen = [pictures.draw(recorder.sim_state)]
    for _ in range(3):
        recorder.step(action)
        if recorder.sim_state is None:
            pictures.step(action)
        seen.append(pictures.draw(recorder.sim_state))
    renderer = SegmentRenderer(task, lambda **options: make_env(task, **options))
    np.testing.assert_array_equal(np.stack(seen), renderer.frames(recorder.segment()))
    pictures.close()
    renderer.close()
