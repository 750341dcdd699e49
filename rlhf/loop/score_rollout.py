"""Experience and a reward model -> the rewards that a policy is to follow."""

import dataclasses

import numpy as np

from rlhf.loop.fit_reward import rollout_features
from rlhf.loop.session import Session
from rlhf.reward.endings import score_endings
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.normalise import combine_members
from rlhf.types.experience import Float32, Rollout


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scored:
    """The rewards of a rollout under one reward version, each (T, N)."""

    rewards: Float32
    """The members' mean less ``pessimism`` spreads, clipped."""
    absorbing_rewards: Float32
    """The constant reward that the absorbing state after each step is worth; zero where none came."""
    mean: Float32
    """The members' mean."""
    spread: Float32
    """The members' standard deviation: what they do not agree about."""
    shaping: Float32
    """What a designed potential adds; zero without one."""

    @property
    def followed(self) -> Float32:
        """What the policy follows."""
        return self.rewards + self.shaping


def score_rollout(session: Session, rollout: Rollout, reward: RewardModel, pessimism: float) -> Scored:
    """Return what a reward model gives each step of a rollout.

    Args:
        session: says how features are made.
        rollout: (T, N).
        reward: any version.
        pessimism: kappa; not the one the model was fitted with, as it changes in the course of a run.
    """
    steps, discount = rollout_features(session, rollout), session.config.following.discount
    shape, ended, clip = rollout.terminated.shape, rollout.terminated, reward.config.clip
    members = reward.member_rewards(steps.reshape(-1, steps.shape[-1]))
    rewards, spread = combine_members(members, pessimism=pessimism, clip=clip)
    absorbing_rewards = np.zeros(shape, np.float32)
    if ended.any():
        last = rollout.next_observations[ended]
        endings = score_endings(reward, session.action_space, last, pessimism=pessimism)
        absorbing_rewards[ended] = endings.per_step(discount, cost=session.config.improve.ending_cost)
    shaping = np.zeros(shape, np.float32)
    if reward.shaping is not None:
        shaping = reward.shaping.rewards(rollout.observations, rollout.next_observations, ended, discount)
    return Scored(
        rewards=rewards.reshape(shape),
        absorbing_rewards=absorbing_rewards,
        mean=members.mean(axis=0).reshape(shape),
        spread=spread.reshape(shape),
        shaping=shaping,
    )
