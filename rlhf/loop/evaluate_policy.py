"""Policy -> evaluation: how a saved policy does by the true reward, and one episode of it to watch.

What is measured here is for people. Nothing in it ever reaches reward or policy learning.
"""

from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.experience.rollout import play_episodes
from rlhf.experience.segments import cut
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.grade_reward import grade_reward
from rlhf.loop.report import acts_by_mean
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator
from rlhf.storage import models, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Episode
from rlhf.types.task import ActionSpace, Task


def evaluate_policy(
    engine: sa.Engine, blobs: Blobs, run_id: str, version: int, num_episodes: int
) -> dict[str, Any]:
    """Run a saved policy and store how it did.

    Every policy of a run starts from the same states, so that versions can be compared.

    Returns:
        ``{"true_returns": [...], "predicted_returns": [...], "episode_steps": [...]}``; predicted returns
        by the reward version the policy had last learned from, empty if there was none. Where there are both
        rewards, also ``reward_grade``: what ``grade_reward`` says of that version.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        row = models.get_policy_version(connection, run_id, version)
    task = get_task(run["task"])
    _, action_space = spaces_of(task)
    arrays, _ = blobs.read_arrays(row["arrays"])
    policy = PolicySnapshot.from_arrays(arrays, action_space)
    seed = int(generator(run["seed"], "evaluation").integers(2**31))
    episodes, true_rewards = play_episodes(
        task, policy, num_episodes, seed=seed, deterministic=acts_by_mean(action_space)
    )
    evaluation = {
        "true_returns": [float(paid.sum()) for paid in true_rewards] if task.has_true_reward else [],
        "predicted_returns": _predicted(
            engine, blobs, run_id, row["reward_version"], task, episodes, action_space
        ),
        "episode_steps": [episode.num_steps for episode in episodes],
    }
    if task.has_true_reward and row["reward_version"]:
        discount = resolve(task, run["overrides"]).following.discount
        grade: Any = grade_reward(engine, blobs, run_id, row["reward_version"], action_space, discount)
        evaluation["reward_grade"] = grade
    replay = cut(episodes[0], 0, episodes[0].num_steps, task.horizon)
    name = blobs.write_arrays(replay.to_arrays())
    truth = blobs.write_arrays({"true_rewards": true_rewards[0]}) if task.has_true_reward else None
    with writing(engine) as connection:
        replay_id = segments.insert_segment(connection, run_id, replay, name, truth)
        models.set_evaluation(connection, run_id, version, replay_id=replay_id, evaluation=evaluation)
    return evaluation


def _predicted(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    reward_version: int,
    task: Task,
    episodes: list[Episode],
    action_space: ActionSpace,
) -> list[float]:
    if reward_version == 0:
        return []
    with reading(engine) as connection:
        row = models.get_reward_version(connection, run_id, reward_version)
    reward = RewardModel.from_arrays(blobs.read_arrays(row["arrays"])[0])
    return [predicted_return(reward, episode, task, action_space) for episode in episodes]


def predicted_return(reward: RewardModel, episode: Episode, task: Task, action_space: ActionSpace) -> float:
    """Return the sum of predicted rewards over the whole horizon, absorbing steps included."""
    whole = cut(episode, 0, task.horizon if episode.terminated else episode.num_steps, task.horizon)
    features = RewardInputs.of(reward.config, action_space).segment(whole)
    return float(np.sum(reward.rewards(features)[0], dtype=np.float64))
