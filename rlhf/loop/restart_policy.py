"""Reward -> a policy learned afresh: another start, which may settle for something better."""

from rlhf.loop.choose_policy import choose_policy
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.session import Session
from rlhf.loop.take_over import warm_up
from rlhf.policy.ppo import PPO
from rlhf.policy.transfer import start_from
from rlhf.seeding import generator
from rlhf.storage import runs


def restart_policy(session: Session) -> None:
    """Give actor and critic first weights again if ``improve.restarts`` says so now.

    What observations look like stays known, and so does all behaviour that was seen. The policy before is
    saved; it may be the best one in the end. With ``improve.resume_best`` the last restart takes the actor
    that the reward likes best of all that were saved, and a critic fitted to what it does.

    Args:
        session: between two rollouts.
    """
    if session.is_finished or session.steps < session.practice_ends:
        return
    if session.saved_policy_steps != session.steps:
        save_policy(session)
    began = session.practice_ends
    before, config = session.policy.state_dict(), session.config
    dim, space = session.collector.stepper.observation_dim, session.action_space
    fresh = PPO(config.following, dim, space, generator(session.seed, "restart", began))
    state = fresh.state_dict() | {
        key: value for key, value in before.items() if key.startswith("observations.")
    }
    message = f"The policy starts afresh; what it was before is version {before['version']}."
    is_resumed = config.improve.resume_best and began == session.restarts[-1]
    if is_resumed:
        best, policy = choose_policy(session)
        state = start_from(
            state, fresh.policy_arrays(), policy.to_arrays(), space, num_observed=before["observations.count"]
        )
        message = (
            f"The policy goes on from version {best}, which the reward likes best of all; what it was before "
            f"is version {before['version']}."
        )
    version = before["version"] + 1
    session.policy.load_state_dict(state | {"version": version})
    session.practice_began = began
    session.memory.rollouts.clear()  # of a policy that is no more
    session.critic_reward, session.reward_is_new = 0, True
    # Beside one that has practised a beginner loses, which would end its practice at once.
    session.gates.dethrone(version)
    session.memory.crown([])
    with session.writing() as connection:
        runs.add_event(connection, session.run_id, session.steps, "restart", message)
    if is_resumed:
        warm_up(session)
