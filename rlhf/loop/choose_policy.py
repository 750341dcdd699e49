"""Saved policies -> the one that the reward likes best."""

import numpy as np

from rlhf.experience.rollout import run_episodes
from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.report import acts_by_mean
from rlhf.loop.session import Session
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.seeding import generator
from rlhf.storage import models
from rlhf.storage.engine import reading

_CANDIDATES = 12
"""Policies that are judged, evenly over the later half of those saved."""
_CANDIDATES_OF_STARTS = 48
"""The same where the policy is learned afresh in between, over all: any practice may have led to the best."""
_EPISODES = 16
"""That each is judged by. With four, a policy that falls now and then passed for the best one."""


def choose_policy(session: Session) -> tuple[int, PolicySnapshot]:
    """Return the saved policy that the present reward likes best, and its version; the last without a reward.

    The true reward has no say.

    Args:
        session: of a run that has saved a policy, which all do before they learn.
    """
    with reading(session.engine) as connection:
        saved = models.list_policy_versions(connection, session.run_id)
    number = _CANDIDATES_OF_STARTS if session.restarts else _CANDIDATES
    among = saved if session.restarts else saved[len(saved) // 2 :]
    chosen = [among[i] for i in np.unique(np.linspace(0, len(among) - 1, number).round().astype(int))]
    policies = [
        PolicySnapshot.from_arrays(session.blobs.read_arrays(row["arrays"])[0], session.action_space)
        for row in chosen
    ]
    scores = [_predicted(session, policy) for policy in policies]
    best = max(range(len(chosen)), key=lambda i: (scores[i], i))
    return chosen[best]["version"], policies[best]


def _predicted(session: Session, policy: PolicySnapshot) -> float:
    reward, task, space = session.reward, session.task, session.action_space
    if reward is None:
        return 0.0
    seed = int(generator(session.seed, "selection").integers(2**31))
    episodes, _ = run_episodes(task, policy, _EPISODES, seed, deterministic=acts_by_mean(space))
    return float(np.mean([predicted_return(reward, episode, task, space) for episode in episodes]))
