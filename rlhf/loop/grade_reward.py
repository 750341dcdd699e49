"""A reward version against the true reward, where a task has one. For people: nothing learns from it."""

from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.agreement import rank_correlation
from rlhf.evaluation.reward_distance import shaping_invariant_distance
from rlhf.loop.report import finite
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.storage import models, queries, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.task import ActionSpace

_LATEST_PAIRS = 200
_MIN_CLIPS = 10


def grade_reward(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    version: int,
    action_space: ActionSpace,
    discount: float,
) -> dict[str, Any] | None:
    """Return how well a reward version agrees with the true reward on the latest clips asked about.

    Returns:
        ``{"reward_version", "num_clips", "rank_correlation", "distance"}``: of the clips' returns, and the
        shaping-invariant distance step by step; None where they are not known. None for too few clips.
    """
    with reading(engine) as connection:
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
        pairs = queries.list_asked_pairs(connection, run_id, _LATEST_PAIRS)
        asked = list(dict.fromkeys(one for pair in pairs for one in pair))
        known = segments.true_reward_blobs(connection, asked)
        ids = [one for one in asked if one in known]
        if len(ids) < _MIN_CLIPS:
            return None
        shown = [segments.load_segment(connection, blobs, one) for one in ids]
        true_rewards = segments.load_true_rewards(connection, blobs, ids)
    reward = RewardModel.from_arrays(blobs.read_arrays(stored)[0])
    inputs = RewardInputs.of(reward.config, action_space)
    features = np.stack([inputs.segment(one) for one in shown])
    by_member = reward.member_rewards(features.reshape(-1, features.shape[-1]))
    predicted = by_member.mean(axis=0, dtype=np.float64).reshape(features.shape[:2])
    true = np.stack(true_rewards)
    distance = shaping_invariant_distance(
        predicted,
        true,
        np.stack([one.observations for one in shown]),
        np.stack([one.absorbing for one in shown]),
        discount,
    )
    return {
        "reward_version": version,
        "num_clips": len(shown),
        "rank_correlation": finite(rank_correlation(predicted.sum(axis=1), true.sum(axis=1))),
        "distance": finite(distance),
    }
