"""One turn of the loop: the file to read first.

    experience -> queries -> (people answer) -> reward -> policy -> experience

Everything a turn needs is in the session; everything it makes known goes to the store. People are never
waited for: as long as nobody answers, the policy goes on learning from the reward there is.
"""

import enum
import time

from rlhf.loop.choose_queries import choose_queries
from rlhf.loop.clone_policy import clone_policy, hold_to_imitated
from rlhf.loop.collect_experience import collect_experience, explore, novelty_steps
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.follow_world import follow_world
from rlhf.loop.gates import check_gates
from rlhf.loop.improve_policy import improve_policy, save_policy
from rlhf.loop.publish import publish_turn, publish_waiting
from rlhf.loop.restart_policy import restart_policy
from rlhf.loop.seek_novelty import seek_novelty
from rlhf.loop.session import Session, save_checkpoint
from rlhf.loop.take_over import take_over, warm_up
from rlhf.loop.watch_world import watch_world


@enum.unique
class Turn(enum.Enum):
    """What a turn came to."""

    LEARNED = "learned"
    EXPLORED = "explored"
    """The policy tried what is new, while people give the first answers."""
    WAITING = "waiting"
    """There is no reward yet: nothing to do until more answers come."""
    FINISHED = "finished"


def iterate(session: Session) -> Turn:
    """Advance a run by one turn: at most one reward fit and one policy update.

    Raises:
        RlhfError: the store failed or the task cannot go on; the last checkpoint stays good.
    """
    if session.is_finished:
        return Turn.FINISHED
    follow_world(session)
    if not session.memory.recent:
        _begin(session)
    fit_reward(session)
    if session.is_exploring or session.reward is None:
        return _prepare(session)
    session.is_saved = False
    restart_policy(session)
    rollout = collect_experience(session)
    stats, scored = improve_policy(session, rollout)
    watch_world(session, rollout, scored)
    choose_queries(session)
    publish_turn(session, rollout, stats)
    is_saved = session.is_finished or session.is_policy_due
    if is_saved:
        save_policy(session)
    check_gates(session, scored, is_saved=is_saved)
    _save_if_due(session)
    return Turn.FINISHED if session.is_finished else Turn.LEARNED


def _prepare(session: Session) -> Turn:
    """Explore, if that is not over, and ask; a teacher that answers at once is asked when it is over."""
    has_explored = seek_novelty(session)
    if not (session.is_simulated and session.is_exploring) and choose_queries(session):
        session.is_saved = False
    publish_waiting(session)
    if not has_explored:
        return Turn.WAITING
    _save_if_due(session)
    return Turn.EXPLORED


def _save_if_due(session: Session) -> None:
    if session.is_finished or time.monotonic() - session.checkpoint_at > session.config.keep.checkpoint_s:
        save_checkpoint(session)


def _begin(session: Session) -> None:
    """Give a run what it starts from, and behaviour to ask about: its policy's if it has one."""
    has_policy = take_over(session)
    explore(session, session.policy if has_policy else None)
    if has_policy and session.critic_reward == 0:
        warm_up(session)
    has_cloned = clone_policy(session) is not None
    session.was_given_policy = has_policy or has_cloned
    session.explore_until = 0 if session.was_given_policy else session.steps + novelty_steps(session.config)
    if has_cloned:
        hold_to_imitated(session)
    elif has_policy and session.config.following.reference_kl:
        session.policy.hold_to_start(session.practised)
    save_policy(session)
    save_checkpoint(session)
