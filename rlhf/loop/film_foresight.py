"""What a model foresees beside what happens: one clip, from the same states and by the same actions.

On the left is what happened, on the right what had been imagined at the start, by the mean of the model's
members. Where they part is how far the model can be trusted.
"""

from collections.abc import Iterator

import numpy as np

from rlhf.clips.encode import encode_mp4
from rlhf.clips.resize import Frame, fit_frame
from rlhf.clips.scenes import make_scene
from rlhf.errors import TaskError
from rlhf.experience.goal_envs import DYNAMICS
from rlhf.experience.goal_pictures import draw
from rlhf.experience.goal_rollout import collect_goal_episodes
from rlhf.experience.goal_tasks import GoalTask, make_goal_envs
from rlhf.experience.shown_states import states_shown
from rlhf.experience.tasks import make_env
from rlhf.loop.foresee_run import Foreseen, quiet
from rlhf.loop.report import Progress
from rlhf.policy.goal_foresight import GoalForesight
from rlhf.seeding import generator
from rlhf.types.experience import Episode, Float32, Int64

_GOAL_FPS = 8.0
_STILL_FRAMES = 6
_GAP = 8
"""Pixels between the two pictures."""
_GREY = 128


def film_goal_foresight(task: GoalTask, foresight: GoalForesight, seed: int, num_episodes: int) -> bytes:
    """Return an MP4 clip of whole episodes with foresight, and of what their actions were to lead to.

    Raises:
        TaskError: only our own environments with goals can be drawn from what was imagined.
    """
    if task.env_id not in DYNAMICS:
        raise TaskError(
            f"what was imagined of {task.name!r} cannot be drawn; that of {', '.join(DYNAMICS)} can."
        )
    dynamics = DYNAMICS[task.env_id](**task.env_kwargs)

    def choose(observations: Float32, goals: Float32) -> Int64:
        return np.asarray(foresight.plan(observations, goals).actions, np.int64)

    seeds = generator(seed, "film").integers(2**31, size=num_episodes)
    episodes = collect_goal_episodes(make_goal_envs(task, num_episodes), choose, seeds)
    frames: list[Frame] = []
    for index, length in enumerate(episodes.lengths):
        goal, seen = episodes.desired[index], episodes.observations[index, : length + 1]
        imagined = foresight.imagine(seen[0], episodes.actions[index, :length])
        pictures = [
            [fit_frame(draw(dynamics, state, goal)) for state in dynamics.states_of(observations)]
            for observations in (seen, imagined)
        ]
        frames += side_by_side(*pictures)
        frames += [frames[-1]] * _STILL_FRAMES
    return encode_mp4(np.stack(frames), _GOAL_FPS)


def film_run_foresight(
    found: Foreseen, episode: Episode, num_clips: int, progress: Progress = quiet
) -> Frame:
    """Return pictures of stretches of an episode, each as long as a segment of the task, uint8 (F, H, W, 3).

    They are meant to be played at the task's ``playback_fps``.

    Args:
        found: what foresaw it.
        episode: acted with foresight.
        num_clips: stretches, at most.
        progress: hears how far it is, before each stretch.

    Raises:
        RenderError: the environment cannot be drawn.
        TaskError: observations of this task do not show its whole state.
    """
    task = found.task
    scene = make_scene(lambda *, render_mode=None: make_env(task, render_mode=render_mode))
    frames: list[Frame] = []
    length = min(task.segment_steps, episode.num_steps)
    try:
        starts = range(0, min(episode.num_steps, num_clips * length) - length + 1, length)
        for number, start in enumerate(starts):
            progress(number, len(starts), "drawing what was foreseen beside what happened")
            seen = episode.observations[start : start + length + 1]
            imagined = found.imagine(seen[0], episode.actions[start : start + length])
            pictures = [
                [
                    scene.draw_state(one)
                    for one in states_shown(scene.env.unwrapped, task.env_id, observations)
                ]
                for observations in (seen, imagined)
            ]
            frames += side_by_side(*pictures)
    finally:
        scene.close()
    return np.stack(frames)


def side_by_side(left: list[Frame], right: list[Frame]) -> Iterator[Frame]:
    """Yield pairs of frames (H, W, 3) as one each, (H, 2 W + gap, 3)."""
    for one, other in zip(left, right, strict=True):
        gap = np.full((len(one), _GAP, 3), _GREY, np.uint8)
        yield np.concatenate([one, gap, other], axis=1)
