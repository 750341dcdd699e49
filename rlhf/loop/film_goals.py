"""What a learner does about some goals, as a clip."""

import numpy as np

from rlhf.clips.encode import encode_mp4
from rlhf.clips.resize import fit_frame
from rlhf.experience.goal_envs import GymnasiumGoalEnvs
from rlhf.experience.goal_rollout import collect_goal_episodes
from rlhf.experience.goal_tasks import GoalTask
from rlhf.policy.q_learning import QLearner
from rlhf.seeding import generator
from rlhf.types.experience import Float32, Int64

_STILL_FRAMES = 6
"""For how long the end of an episode stays in the picture."""


def film_goals(task: GoalTask, learner: QLearner, seed: int, num_episodes: int) -> bytes:
    """Return an MP4 clip of episodes one after the other, without exploration.

    Raises:
        RenderError: the environment's pictures cannot be encoded.
        TaskError: the environment cannot be drawn.
    """
    envs = GymnasiumGoalEnvs(task.env_id, 1, render_mode="rgb_array", **task.env_kwargs)
    rng = generator(seed, "film")
    frames = []

    def choose(observations: Float32, goals: Float32) -> Int64:
        frames.append(fit_frame(envs.picture()))
        return learner.act(observations, goals, rng, epsilon=0.0)

    try:
        for _ in range(num_episodes):
            collect_goal_episodes(envs, choose, rng.integers(2**31, size=1))
            frames += [fit_frame(envs.picture())] * _STILL_FRAMES
    finally:
        envs.close()
    return encode_mp4(np.stack(frames), envs.fps)
