"""The best remembered episodes -> policy: what the present reward likes most of all that was done.

A reward that has just learned something finds good what was done by chance long before, under a reward that
did not know it. Episodes are ranked anew by every reward, and a pass of imitation follows each update.
"""

import numpy as np

from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.score_rollout import score_rollout
from rlhf.loop.session import Session
from rlhf.reward.ensemble import RewardModel
from rlhf.types.experience import Episode, Rollout

BEST_SHARE = 0.1
"""Share of the remembered episodes that are imitated; one at least."""


def imitate_best(session: Session) -> None:
    """Imitate the episodes that the present reward likes best, if the run's settings say so."""
    rate, reward = session.config.improve.self_imitation, session.reward
    if not rate or reward is None:
        return
    with session.timed("reward"):
        rollouts = [_as_rollout(episode) for episode in best_episodes(session, reward)]
        scored = [score_rollout(session, one, reward, session.pessimism) for one in rollouts]
    with session.timed("policy"):
        session.policy.imitate(
            rollouts,
            [one.followed for one in scored],
            [one.absorbing_rewards for one in scored],
            rate=rate,
            progress=session.practised,
        )


def best_episodes(session: Session, reward: RewardModel) -> list[Episode]:
    """Return the best tenth of the remembered episodes by predicted return, the best first."""
    memory = session.memory
    known = (*memory.champion, *memory.older, *memory.recent)
    episodes = {episode.reset_seed: episode for episode in known}
    worth = {
        seed: session.predicted_returns[seed]
        if seed in session.predicted_returns
        else predicted_return(reward, episode, session.task, session.action_space)
        for seed, episode in episodes.items()
    }
    session.predicted_returns = worth
    best = sorted(episodes, key=worth.__getitem__, reverse=True)[: max(1, round(BEST_SHARE * len(episodes)))]
    return [episodes[seed] for seed in best]


def _as_rollout(episode: Episode) -> Rollout:
    """Return an episode as T steps of one environment."""
    is_last = np.arange(episode.num_steps)[:, None] == episode.num_steps - 1
    return Rollout(
        observations=episode.observations[:-1, None],
        actions=episode.actions[:, None],
        log_probs=np.zeros(is_last.shape, np.float32),
        next_observations=episode.observations[1:, None],
        terminated=is_last & episode.terminated,
        truncated=is_last & (not episode.terminated),
        policy_version=episode.policy_version,
    )
