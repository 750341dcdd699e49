"""What a reward model makes of the absorbing state after episodes that ended early."""

import dataclasses

import numpy as np

from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.reward.normalise import combine_members
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace


@dataclasses.dataclass(frozen=True)
class Endings:
    """Rewards of the absorbing state after each of N endings."""

    first: Float32
    """Of the first step there, which shows the outcome, (N,)."""
    later: Float32
    """Of every one that follows, (N,)."""

    def per_step(self, discount: float, *, cost: float = 0.0) -> Float32:
        """Return the constant worth as much for ever: (1 - discount) first + discount later - cost."""
        return self.later + (1.0 - discount) * (self.first - self.later) - np.float32(cost)


def score_endings(
    reward: RewardModel, action_space: ActionSpace, last: Float32, *, pessimism: float
) -> Endings:
    """Return the rewards that follow where episodes ended.

    Args:
        reward: the model.
        action_space: says how actions look.
        last: raw observations that the episodes ended with, (N, D).
        pessimism: kappa, standard deviations of the members that are taken off.
    """
    inputs, config = RewardInputs.of(reward.config, action_space), reward.config

    def paid(*, ending: bool, clip: float) -> Float32:
        members = reward.member_rewards(inputs.absorbing(last, ending=ending))
        return combine_members(members, pessimism=pessimism, clip=clip)[0]

    later = paid(ending=False, clip=config.clip)
    return Endings(paid(ending=True, clip=config.ending_clip) if config.use_endings else later, later)
