"""Makes the looping pictures of the start page: ``python -m rlhf.benchmarks.previews [TASK ...]``.

Trains each task briefly on its true reward and records a few seconds of a middling episode, so that
people see what the goal looks like.
"""

import argparse

import numpy as np
import torch

from rlhf.clips.encode import encode_mp4
from rlhf.clips.render import SegmentRenderer
from rlhf.config import PROJECT_ROOT
from rlhf.experience.rollout import run_episodes
from rlhf.experience.segments import cut
from rlhf.experience.tasks import get_task, list_tasks, make_env, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.report import acts_by_mean
from rlhf.loop.train_on_true_reward import learn_true_reward
from rlhf.types.experience import Episode
from rlhf.types.task import Task

FOLDER = PROJECT_ROOT / "data" / "previews"
SECONDS = 4.0
WIDTH = 320
EPISODES = 8


def main() -> None:
    """Make the previews of the named tasks, or of all."""
    parser = argparse.ArgumentParser(description="Make the pictures of the start page.")
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--steps", type=int, default=400_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for task in [get_task(name) for name in options.tasks] or list_tasks():
        episode, true_return = typical_episode(task, options.steps)
        data = preview(task, episode)
        (FOLDER / f"{task.name}.mp4").write_bytes(data)
        print(f"{task.name}: true return {true_return:.0f}, {len(data) / 1000:.0f} kB")


def typical_episode(task: Task, steps: int) -> tuple[Episode, float]:
    """Train on the true reward and return the middle one of a few episodes with its true return.

    The best one may have started where the goal was already reached.
    """
    for turn in learn_true_reward(task, resolve(task, {"schedule.total_steps": steps}), 0):
        policy = turn.policy
    by_mean = acts_by_mean(spaces_of(task)[1])
    episodes, returns = run_episodes(task, policy, EPISODES, 0, deterministic=by_mean)
    middle = int(np.argsort(returns)[len(returns) // 2])
    return episodes[middle], float(returns[middle])


def preview(task: Task, episode: Episode) -> bytes:
    """Return the first seconds of an episode as a small mp4."""
    length = min(episode.num_steps, round(SECONDS * task.playback_fps) * task.frame_skip)
    segment = cut(episode, 0, length, task.horizon)
    renderer = SegmentRenderer(task, lambda **options: make_env(task, **options))
    frames = renderer.frames(segment)
    renderer.close()
    step = max(1, round(frames.shape[2] / WIDTH))
    return encode_mp4(frames[:, ::step, ::step], task.playback_fps)


if __name__ == "__main__":
    main()
