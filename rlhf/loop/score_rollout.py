"""Experience and a reward model -> the rewards that a policy is to follow."""

import dataclasses

import numpy as np

from rlhf.loop.session import Session
from rlhf.reward.endings import score_endings
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.reward.normalise import combine_members
from rlhf.types.experience import Actions, Bool, Float32, Rollout
from rlhf.types.task import ActionSpace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scored:
    """The rewards of steps under one reward version, all of one shape, (T, N) for a rollout."""

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
        session: whose policy follows it.
        rollout: (T, N).
        reward: any version.
        pessimism: kappa; not the one the model was fitted with, as it changes in the course of a run.
    """
    return score_steps(
        reward,
        session.action_space,
        rollout.observations,
        rollout.applied_actions(),
        rollout.next_observations,
        rollout.terminated,
        pessimism=pessimism,
        discount=session.config.following.discount,
        ending_cost=session.config.improve.ending_cost,
    )


def score_steps(
    reward: RewardModel,
    action_space: ActionSpace,
    observations: Float32,
    actions: Actions,
    next_observations: Float32,
    terminated: Bool,
    *,
    pessimism: float,
    discount: float,
    ending_cost: float,
) -> Scored:
    """Return what a run's policy gets for steps: what its critic learns, and whoever plans with that goes by.

    Args:
        reward: any version.
        action_space: says how actions look.
        observations: raw, (..., D).
        actions: as the environment saw them, (..., A), or (...) if discrete.
        next_observations: raw, before any reset, (..., D).
        terminated: whether the step led into the absorbing state, (...).
        pessimism: kappa.
        discount: gamma of the policy.
        ending_cost: ``improve.ending_cost``.
    """
    steps = RewardInputs.of(reward.config, action_space).steps(observations, actions, next_observations)
    shape = terminated.shape
    members = reward.member_rewards(steps.reshape(-1, steps.shape[-1]))
    rewards, spread = combine_members(members, pessimism=pessimism, clip=reward.config.clip)
    absorbing_rewards = np.zeros(shape, np.float32)
    if terminated.any():
        endings = score_endings(reward, action_space, next_observations[terminated], pessimism=pessimism)
        absorbing_rewards[terminated] = endings.per_step(discount, cost=ending_cost)
    shaping = np.zeros(shape, np.float32)
    if reward.shaping is not None:
        shaping = reward.shaping.rewards(observations, next_observations, terminated, discount)
    return Scored(
        rewards=rewards.reshape(shape),
        absorbing_rewards=absorbing_rewards,
        mean=members.mean(axis=0).reshape(shape),
        spread=spread.reshape(shape),
        shaping=shaping,
    )
