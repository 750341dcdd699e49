"""Is the world still the one that was learned in? A warning if not, and a fresh start if that is asked for.

What was learned in the world before is not thrown away: the policy goes on, and so do the answers, which say
what is wanted and not how the world works.
"""

from rlhf.loop.improve_policy import refit_critic
from rlhf.loop.score_rollout import Scored
from rlhf.loop.session import Session
from rlhf.storage import runs
from rlhf.types.experience import Rollout


def watch_world(session: Session, rollout: Rollout, scored: Scored) -> None:
    """Look at a rollout that was just learned from; if the world has changed, warn, and adapt if asked to.

    Args:
        session: after the update.
        rollout: the latest.
        scored: its rewards.
    """
    world, config = session.world, session.config.world
    if world is None:
        return
    with session.timed("policy"):
        is_changed = world.look(rollout)
    if not is_changed:
        return
    world.alarms.append(session.steps)
    since = session.steps - world.suspect_steps(rollout)
    with session.writing() as connection:
        then = " What was learned before is adapted." if config.adapt else ""
        message = (
            f"The world seems to have changed at about {since:,} steps: what follows an action is foretold "
            f"much worse than before.{then}"
        )
        runs.add_event(connection, session.run_id, session.steps, "warning", message)
    _adapt(session, rollout, scored)


def _adapt(session: Session, rollout: Rollout, scored: Scored) -> None:
    world, config, memory = session.world, session.config.world, session.memory
    assert world is not None
    since = list(memory.rollouts)[-max(1, -(-world.suspect_steps(rollout) // rollout.num_steps)) :]
    with session.timed("policy"):
        world.relearn(since)
    if not config.adapt:
        return
    memory.rollouts.clear()
    memory.rollouts.extend(since)
    # The best policy stored was the best of another world: losing to it there proves nothing here.
    session.gates.dethrone(session.policy.version)
    memory.crown([])
    refit_critic(session, rollout, scored)
    session.stirred_until = session.steps + int(config.stirred_share * session.config.schedule.total_steps)
