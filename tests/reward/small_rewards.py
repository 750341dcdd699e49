"""A reward model that was never fitted, for tests that only need one to ask."""

import numpy as np

from rlhf.reward.answer_model import AnswerModel
from rlhf.reward.chosen import unchosen
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.frozen import FrozenNetwork
from rlhf.reward.normalise import InputNormaliser, OutputNormaliser


def linear_reward(weights: list[float], *, num_members: int = 2, use_actions: bool = False) -> RewardModel:
    """Return members that give each feature this weight; each further one ten per cent more."""
    factors = 1.0 + 0.1 * np.arange(num_members, dtype=np.float32)
    skip = factors[:, None, None] * np.array(weights, np.float32)[:, None]
    ones = np.ones(num_members, np.float32)
    return RewardModel(
        version=1,
        config=RewardConfig(num_members=num_members, use_actions=use_actions),
        network=FrozenNetwork(columns=np.empty(0, np.int64), skip=skip),
        gain=ones,
        input_normaliser=InputNormaliser(
            mean=np.zeros(len(weights), np.float32), sd=np.ones(len(weights), np.float32)
        ),
        output_normaliser=OutputNormaliser(mean=0.0 * ones, sd=ones),
        answer_model=AnswerModel(noise=0.1, rationality=np.ones(1), side_bias=np.zeros(1)),
        selection=unchosen("linear"),
    )
