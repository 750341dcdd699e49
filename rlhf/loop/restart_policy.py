"""Reward -> a policy learned afresh: another start, which may settle for something better."""

from rlhf.loop.improve_policy import save_policy
from rlhf.loop.session import Session
from rlhf.policy.ppo import PPO
from rlhf.seeding import generator
from rlhf.storage import runs


def restart_policy(session: Session) -> None:
    """Give actor and critic first weights again if ``improve.restarts`` says so now.

    What observations look like stays known, and so does all behaviour that was seen. The policy before is
    saved; it may be the best one in the end.

    Args:
        session: between two rollouts.
    """
    if session.is_finished or session.steps < session.practice_ends:
        return
    if session.saved_policy_steps != session.steps:
        save_policy(session)
    before = session.policy.state_dict()
    dim, space = session.collector.stepper.observation_dim, session.action_space
    fresh = PPO(
        session.config.following, dim, space, generator(session.seed, "restart", session.practice_ends)
    )
    seen = {key: value for key, value in before.items() if key.startswith("observations.")}
    version = before["version"] + 1
    session.policy.load_state_dict(fresh.state_dict() | seen | {"version": version})
    session.practice_began = session.practice_ends
    session.memory.rollouts.clear()  # of a policy that is no more
    session.critic_reward, session.reward_is_new = 0, True
    # Beside one that has practised a beginner loses, which would end its practice at once.
    session.gates.dethrone(version)
    session.memory.crown([])
    with session.writing() as connection:
        message = f"The policy starts afresh; what it was before is version {before['version']}."
        runs.add_event(connection, session.run_id, session.steps, "restart", message)
