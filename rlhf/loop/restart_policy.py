"""Reward -> a policy learned afresh: another start, which may settle for something better."""

from typing import Any

from rlhf.loop.choose_policy import choose_policy
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.session import Session
from rlhf.loop.take_over import warm_up
from rlhf.policy.ppo import PPO
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.policy.transfer import start_from
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.storage.engine import reading


def restart_policy(session: Session) -> None:
    """Begin the practice again as it began at first if ``improve.restarts`` says so now.

    The critic knows nothing then, nor does the actor, unless it had sought novelty. What observations look
    like stays known, and so does all behaviour that was seen. The policy before is saved; it may be the best
    one in the end. With ``improve.resume_best`` the last restart takes the actor that the reward likes best
    of all that were saved, and a critic fitted to what it does.

    Args:
        session: between two rollouts.
    """
    if session.is_finished or session.steps < session.practice_ends:
        return
    if session.saved_policy_steps != session.steps:
        save_policy(session)
    began, before = session.practice_ends, session.policy.version
    if session.config.improve.resume_best and began == session.restarts[-1]:
        with session.timed("policy"):
            best, policy = choose_policy(session)
        _begin_practice(session, _with_actor(session, began, policy), began)
        _tell(session, f"The policy goes on from version {best}, which the reward likes best of all", before)
        warm_up(session)
    elif session.explorer:
        _begin_practice(session, _with_actor(session, began, _explorer(session)), began)
        _tell(session, f"The policy goes on from version {session.explorer}, which sought the new", before)
    else:
        _begin_practice(session, _beginner(session, began).state_dict(), began)
        _tell(session, "The policy starts afresh", before)


def _beginner(session: Session, began: int) -> PPO:
    """Return a learner that knows nothing yet but what observations look like."""
    dim = session.collector.stepper.observation_dim
    weights = generator(session.seed, "restart", began)
    beginner = PPO(session.config.following, dim, session.action_space, weights)
    known = session.policy.state_dict().items()
    seen = {key: value for key, value in known if key.startswith("observations.")}
    beginner.load_state_dict(beginner.state_dict() | seen)
    return beginner


def _explorer(session: Session) -> PolicySnapshot:
    with reading(session.engine) as connection:
        row = models.get_policy_version(connection, session.run_id, session.explorer)
    return PolicySnapshot.from_arrays(session.blobs.read_arrays(row["arrays"])[0], session.action_space)


def _with_actor(session: Session, began: int, policy: PolicySnapshot) -> dict[str, Any]:
    """Return a beginner's state with this actor."""
    beginner = _beginner(session, began)
    state, own, space = beginner.state_dict(), beginner.policy_arrays(), session.action_space
    return start_from(state, own, policy.to_arrays(), space, num_observed=state["observations.count"])


def _begin_practice(session: Session, state: dict[str, Any], began: int) -> None:
    version = session.policy.version + 1
    session.policy.load_state_dict(state | {"version": version})
    session.practice_began = began
    session.memory.rollouts.clear()  # of a policy that is no more
    session.critic_reward, session.reward_is_new = 0, True
    # Beside one that has practised a beginner loses, which would end its practice at once.
    session.gates.dethrone(version)
    session.memory.crown([])


def _tell(session: Session, message: str, before: int) -> None:
    with session.writing() as connection:
        message += f"; what it was before is version {before}."
        runs.add_event(connection, session.run_id, session.steps, "restart", message)
