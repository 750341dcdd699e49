"""Reward -> policy: one PPO update, and what it takes when the reward has changed.

The reward changes only here, between rollouts: a rollout is never scored by two rewards.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhf.loop.config import ImproveConfig
from rlhf.loop.imitate_best import imitate_best
from rlhf.loop.schedule import pessimism
from rlhf.loop.score_rollout import Scored, score_rollout
from rlhf.loop.session import Session
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.policy.stats import CriticStats, PolicyStats
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import jobs, models, runs
from rlhf.storage.engine import reading
from rlhf.types.experience import Float32, Rollout
from rlhf.types.run import JobKind


def improve_policy(session: Session, rollout: Rollout) -> tuple[PolicyStats, Scored]:
    """Score a rollout with the current reward and improve the policy with it.

    A reward that is new is adopted first: see ``ImproveConfig`` for what that means.

    Returns:
        What the update did, and the rewards it followed.
    """
    if session.reward is None:
        raise ValueError("improve_policy needs a reward; fit one first.")
    with session.timed("reward"):
        scored = score_rollout(session, rollout, session.reward, session.pessimism)
    if session.reward_is_new:
        _adopt_reward(session, rollout, scored)
    session.predicted_reward = float(scored.rewards.mean())
    session.policy.config = _settings(session)
    with session.timed("policy"):
        stats = session.policy.update(
            rollout,
            scored.followed,
            scored.absorbing_rewards,
            progress=session.practised,
            min_advantage_sd=session.config.improve.min_advantage_sd,
        )
    imitate_best(session)
    session.careful_left = max(0, session.careful_left - 1)
    return stats, scored


def refit_critic(session: Session, rollout: Rollout, scored: Scored) -> CriticStats:
    """Fit the critic to the present reward on the rollouts that are remembered; the policy stays.

    Args:
        session: has a reward.
        rollout: the latest.
        scored: its rewards.
    """
    improve, rollouts, rewards = session.config.improve, [rollout], [scored]
    if improve.relabel and session.reward is not None:
        rollouts = list(session.memory.rollouts)
        with session.timed("reward"):
            rewards = [
                scored if one is rollout else score_rollout(session, one, session.reward, session.pessimism)
                for one in rollouts
            ]
    with session.timed("policy"):
        return fit_critic(
            session.policy,
            improve,
            rollouts,
            [scored.followed for scored in rewards],
            [scored.absorbing_rewards for scored in rewards],
        )


def fit_critic(
    policy: PPO,
    improve: ImproveConfig,
    rollouts: Sequence[Rollout],
    rewards: Sequence[Float32],
    absorbing_rewards: Sequence[Float32],
) -> CriticStats:
    """Fit a policy's critic to a reward that it does not know; see ``PPO.refit_critic``.

    Args:
        policy: whose critic it is; it acts as before.
        improve: says when that was not enough, and is done once more.
        rollouts: at least one.
        rewards: of each rollout, (T, N) each.
        absorbing_rewards: of each rollout, (T, N) each.
    """
    stats = policy.refit_critic(rollouts, rewards, absorbing_rewards)
    if stats.explained_variance_after < improve.refit_again_below:
        again = policy.refit_critic(rollouts, rewards, absorbing_rewards)
        stats = dataclasses.replace(again, explained_variance_before=stats.explained_variance_before)
    return stats


def save_policy(session: Session) -> None:
    """Save the policy as a version that can be watched, and have the renderer evaluate and record it."""
    name = session.blobs.write_arrays(session.policy.policy_arrays())
    session.saved_policy_steps = session.steps
    with session.writing() as connection:
        models.insert_policy_version(
            connection,
            session.run_id,
            session.policy.version,
            arrays=name,
            steps=session.steps,
            reward_version=session.reward_version,
            num_answers=session.fitted,
        )
        if not session.is_simulated:
            subject = f"{session.run_id}:{session.policy.version}"
            jobs.enqueue(connection, session.run_id, JobKind.EVALUATE, subject)


def _settings(session: Session) -> PPOConfig:
    """Return PPO's settings for the next update: careful and curious while the reward or the world moves."""
    ppo, improve = session.config.following, session.config.improve
    target_kl, entropy_coef = ppo.target_kl, ppo.entropy_coef
    if session.careful_left:
        target_kl = min(improve.careful_target_kl, np.inf if target_kl is None else target_kl)
    learning_rate = ppo.final_learning_rate_factor
    if session.steps < session.stirred_until:
        entropy_coef = max(entropy_coef, session.config.world.stirred_entropy)
        learning_rate = max(learning_rate, session.config.world.stirred_learning_rate)
    if session.steps - session.adopted_steps < improve.settled_share * session.config.schedule.total_steps:
        entropy_coef = max(entropy_coef, improve.moving_entropy)
    return dataclasses.replace(
        ppo, target_kl=target_kl, entropy_coef=entropy_coef, final_learning_rate_factor=learning_rate
    )


def _adopt_reward(session: Session, rollout: Rollout, scored: Scored) -> None:
    """Make the critic, and the care of the next updates, fit a reward that it does not know yet."""
    improve = session.config.improve
    correlation = _correlation_with_known(session, rollout, scored)
    values = {"reward/correlation_with_previous": correlation, "reward/pessimism": session.pessimism}
    if not correlation > improve.same_reward_correlation:
        if improve.refit_critic:
            stats = refit_critic(session, rollout, scored)
            values["policy/explained_variance_before_refit"] = stats.explained_variance_before
            values["policy/explained_variance_after_refit"] = stats.explained_variance_after
        session.careful_left = improve.careful_updates
        session.adopted_steps = session.steps
    session.reward_is_new = False
    session.predicted_returns.clear()
    session.critic_reward = session.reward_version
    with session.writing() as connection:
        runs.add_measurements(connection, session.run_id, session.steps, values)


def _correlation_with_known(session: Session, rollout: Rollout, scored: Scored) -> float:
    """Return the correlation of a scored rollout's rewards with those of the reward the critic knows.

    NaN if it knows none or either reward is constant.
    """
    if session.critic_reward == 0:
        return float("nan")
    with reading(session.engine) as connection:
        row = models.get_reward_version(connection, session.run_id, session.critic_reward)
    with session.timed("reward"):
        known = RewardModel.from_arrays(session.blobs.read_arrays(row["arrays"])[0])
        before = score_rollout(
            session, rollout, known, pessimism(session.config, row["num_answers"], session.progress)
        ).followed
        if min(before.std(), scored.followed.std()) == 0.0:
            return float("nan")
        return float(np.corrcoef(before.ravel(), scored.followed.ravel())[0, 1])
