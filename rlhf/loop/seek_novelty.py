"""Experience -> a policy that seeks what is new, before it learns what people want.

What moves at random may show people next to nothing that they could want. A policy that is paid for being
where nothing was yet jumps and turns over within a minute: the first questions are about that, and what
people want is practised from there.
"""

import numpy as np

from rlhf.loop.collect_experience import collect_experience, novelty_steps
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.session import Session
from rlhf.reward.novelty import novelty
from rlhf.seeding import generator
from rlhf.storage import runs
from rlhf.types.experience import Float32

_SEEN = 4096
"""Observations of all that was explored that a rollout's are compared with."""


def seek_novelty(session: Session) -> bool:
    """Practise one rollout for novelty if the run still explores; return whether it did.

    Being over is worth as much as the mean of the rollout, so that nothing is gained by ending an episode, or
    by not ending it. The last of them leaves the policy as the explorer, from which every start begins.
    """
    if not session.is_exploring:
        return False
    rollout = collect_experience(session)
    with session.timed("policy"):
        rewards = novelty(rollout.next_observations, _draw_seen(session))
        absorbing = np.where(rollout.terminated, rewards.mean(), np.float32(0.0))
        session.policy.update(rollout, rewards, absorbing)
    session.is_saved = False
    if session.steps >= session.explore_until:
        save_policy(session)
        session.explorer = session.policy.version
        session.gates.dethrone(session.explorer)  # it has yet to follow a reward, as any policy at first
        with session.writing() as connection:
            message = f"The policy has sought what is new for {novelty_steps(session.config):,} steps."
            runs.add_event(connection, session.run_id, session.steps, "explore", message)
    return True


def _draw_seen(session: Session) -> Float32:
    explored = np.concatenate([episode.observations for episode in session.memory.explored])
    rng = generator(session.seed, "novelty", session.policy.version)
    return explored[rng.choice(len(explored), min(_SEEN, len(explored)), replace=False)]
