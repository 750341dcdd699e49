"""Reward -> policy: one PPO update, and what it takes when the reward has changed.

The reward changes only here, between rollouts: a rollout is never scored by two rewards.
"""

import numpy as np

from rlhf.loop.fit_reward import rollout_features
from rlhf.loop.session import Session
from rlhf.policy.ppo import PolicyStats
from rlhf.storage import jobs, models, runs
from rlhf.types.experience import Float32, Rollout
from rlhf.types.run import JobKind

Rewards = tuple[Float32, Float32]


def improve_policy(session: Session, rollout: Rollout) -> PolicyStats:
    """Score a rollout with the current reward and improve the policy with it.

    A reward that is new is adopted first: recent rollouts are relabelled and the critic is refitted.
    """
    if session.reward is None:
        raise ValueError("improve_policy needs a reward; fit one first.")
    if session.reward_is_new:
        with session.timed("reward"):
            rewards = [predicted_rewards(session, past) for past in session.memory.rollouts]
        with session.timed("policy"):
            _adopt_reward(session, rewards)
        scored = rewards[-1]
    else:
        with session.timed("reward"):
            scored = predicted_rewards(session, rollout)
    session.predicted_reward = float(scored[0].mean())
    with session.timed("policy"):
        return session.policy.update(
            rollout,
            *scored,
            progress=session.progress,
            min_advantage_sd=session.config.improve.min_advantage_sd,
        )


def predicted_rewards(session: Session, rollout: Rollout) -> Rewards:
    """Return the predicted reward of each step, and of one absorbing step after it: two (T, N)."""
    assert session.reward is not None
    steps, absorbing = rollout_features(session, rollout)
    rewards, _ = session.reward.rewards(steps.reshape(-1, steps.shape[-1]))
    absorbing_rewards = np.zeros(rollout.terminated.shape, np.float32)
    if rollout.terminated.any():
        absorbing_rewards[rollout.terminated] = session.reward.rewards(absorbing[rollout.terminated])[0]
    return rewards.reshape(rollout.terminated.shape), absorbing_rewards


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


def _adopt_reward(session: Session, rewards: list[Rewards]) -> None:
    stats = session.policy.refit_critic(
        list(session.memory.rollouts), [r for r, _ in rewards], [a for _, a in rewards]
    )
    session.reward_is_new = False
    with session.writing() as connection:
        runs.add_measurements(
            connection,
            session.run_id,
            session.steps,
            {
                "policy/explained_variance_before_refit": stats.explained_variance_before,
                "policy/explained_variance_after_refit": stats.explained_variance_after,
            },
        )
