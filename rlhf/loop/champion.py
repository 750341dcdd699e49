"""The best policy so far against the newest one: who goes on, and how to go back.

Two kinds of evidence. People decide contests, pairs of random segments of both. And each new reward version
judges both anew: what an earlier version had mistaken for progress shows when answers have corrected it.
"""

import copy
from collections.abc import Sequence

import numpy as np

from rlhf.errors import RlhfError
from rlhf.evaluation.statistics import error_of_difference, probability_of_winning
from rlhf.experience.segments import cut
from rlhf.feedback.targets import prob_first
from rlhf.loop.gate_state import Champion
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.session import Session
from rlhf.storage import answers, queries, runs
from rlhf.storage.engine import reading
from rlhf.types.experience import Episode, Float64

_EPISODES = 8
"""Latest episodes that stand for a policy."""
_MOST_DOUBLINGS = 10


def judge(session: Session, *, may_crown: bool) -> None:
    """Compare the newest policy with the champion, and crown it or go back to the champion.

    Nothing happens before the policy has had some updates and finished an episode of its own; after each way
    back to the same champion it has twice as many.

    Args:
        session: between two rollouts.
        may_crown: the policy has been saved, so that it can be watched if it becomes the champion.
    """
    gates, config = session.gates, session.config.gates
    own = challenger_episodes(session)[-_EPISODES:]
    # Twice the time after each loss: a champion that was lucky once would hold up all learning for good.
    patience = config.min_updates * 2 ** min(gates.returns, _MOST_DOUBLINGS)
    if not own or session.policy.version - gates.since_version < patience:
        return
    if gates.champion is None:
        if may_crown:
            _crown(session, own)
        return
    lower, most = _lead(session, own)
    wins, losses, is_awaited = _contests(session)
    chance = probability_of_winning(wins, losses)
    with session.writing() as connection:
        values = {"policy/lead_over_champion": lower, "policy/chance_against_champion": chance}
        runs.add_measurements(connection, session.run_id, session.steps, values)
    is_decided = wins + losses >= config.min_contests
    if is_decided and chance < config.contest_loss:
        _lose(session, f"people preferred it in {losses} of {wins + losses} pairs")
    elif most < -config.worse_by:
        _lose(session, f"by the present reward it does better by more than {-most:.1f} a step")
    elif may_crown and lower >= 0 and chance >= 0.5 and (is_decided or not (is_awaited or gates.standing)):
        # Whoever was asked is waited for; while something is wrong with the reward, its word is not enough.
        _crown(session, own)


def challenger_episodes(session: Session) -> list[Episode]:
    """Return the recent episodes of policies since the champion, oldest first."""
    return [e for e in session.memory.recent if e.policy_version > session.gates.since_version]


def roll_back(session: Session) -> None:
    """Go on from the champion: its weights, optimisers and scales, as the newest version of the policy.

    Rewards, answers, queries and remembered behaviour stay. The critic belongs to the reward of that time,
    so the present one is adopted with the next rollout.

    Raises:
        RlhfError: there is no champion yet.
    """
    gates, champion = session.gates, session.gates.champion
    if champion is None:
        raise RlhfError(f"run {session.run_id} has no policy to go back to yet; let it learn longer.")
    version = session.policy.version + 1  # versions only rise: saved ones are never overwritten
    session.policy.load_state_dict(copy.deepcopy(champion.policy) | {"version": version})
    session.memory.rollouts.clear()  # of a policy that is no more
    session.critic_reward, session.reward_is_new = champion.critic_reward, True
    gates.since_version = version
    gates.contests.clear()
    gates.forget_readings()
    save_policy(session)


def _crown(session: Session, episodes: list[Episode]) -> None:
    gates = session.gates
    gates.champion = Champion(
        version=session.policy.version,
        steps=session.steps,
        critic_reward=session.critic_reward,
        policy=session.policy.state_dict(),
    )
    gates.since_version, gates.returns = session.policy.version, 0
    gates.contests.clear()
    session.memory.crown(episodes)


def _lose(session: Session, why: str) -> None:
    gates, champion = session.gates, session.gates.champion
    assert champion is not None
    gates.returns += 1
    what = f"policy version {champion.version}, saved at {champion.steps:,} steps: {why}"
    if session.config.gates.roll_back:
        message = f"Went back to {what}. All answers are kept."
        roll_back(session)
    else:
        message = f"Worse than {what}."
        gates.since_version = session.policy.version  # not said again without new evidence
        gates.contests.clear()
    with session.writing() as connection:
        runs.add_event(connection, session.run_id, session.steps, "rollback", message)


def _lead(session: Session, own: Sequence[Episode]) -> tuple[float, float]:
    """Return by how much a step the newest policy leads by the present reward, at least and at most.

    Args:
        session: with a reward and a champion.
        own: episodes of the newest policy.

    Returns:
        The lead in the reward's lower bound; and in that or the mean reward, whichever is larger with
        ``gates.worse_doubt`` standard errors over episodes added.
    """
    newest, best = (_reward_per_step(session, episodes) for episodes in (own, session.memory.champion))
    leads = newest.mean(axis=0) - best.mean(axis=0)
    doubt = session.config.gates.worse_doubt
    # Without doubt there is none, not even about a single episode.
    allowed = doubt * error_of_difference(newest, best) if doubt else np.zeros_like(leads)
    return float(leads[1]), float((leads + allowed).max())


def _reward_per_step(session: Session, episodes: Sequence[Episode]) -> Float64:
    """Return each episode's mean reward and its lower bound (one ensemble spread less), (E, 2).

    Over whole horizons.
    """
    assert session.reward is not None
    horizon, found = session.task.horizon, []
    for episode in episodes:
        whole = cut(episode, 0, horizon if episode.terminated else episode.num_steps, horizon)
        members = session.reward.member_rewards(session.inputs.segment(whole))
        found.append((members.mean(), (members.mean(axis=0) - members.std(axis=0)).mean()))
    return np.array(found, np.float64)


def _contests(session: Session) -> tuple[int, int, bool]:
    """Return the contests won and lost by the newest policy, and whether the first answer is yet to come."""
    contests = session.gates.contests
    with reading(session.engine) as connection:
        rows = answers.standing_answers_to(connection, contests)
        waiting = {row["id"] for row in queries.list_open(connection, session.run_id)}
    # The newest policy's clip may have changed sides before the answer.
    targets = [
        (prob_first(row["choice"]), contests[row["query_id"]] == (row["left_id"] == row["query_left_id"]))
        for row in rows
    ]
    wins = sum(target == (1.0 if is_left else 0.0) for target, is_left in targets)
    losses = sum(target == (0.0 if is_left else 1.0) for target, is_left in targets)
    return wins, losses, not rows and not waiting.isdisjoint(contests)
