"""Demonstrations -> policy: a run that starts by imitating what was shown."""

import numpy as np
import sqlalchemy as sa

from rlhf.errors import JobError
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.learn_from_demonstrations import load_episodes
from rlhf.loop.session import Session
from rlhf.loop.take_over import warm_up
from rlhf.policy.cloning import Clone, CloneReport, clone
from rlhf.policy.partial import with_actor
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.seeding import generator
from rlhf.storage import runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Episode
from rlhf.types.task import ActionSpace


def clone_policy(session: Session) -> CloneReport | None:
    """Let a run that begins imitate its demonstrations, if it is set to; return how that went.

    A few rollouts of the new policy follow, for the critic, which cannot be cloned: see ``warm_up``.
    """
    if not session.config.demonstrations.clone:
        return None
    episodes = load_episodes(session.engine, session.blobs, session.run_id)
    if not episodes:
        _note(session, "There was nothing to imitate: no episode that counts had been shown.")
        return None
    with session.timed("policy"):
        made = _clone(episodes, session.action_space, session.config, session.seed)
        state = with_actor(session.policy.state_dict(), made.actor.parameters)
        state |= {f"observations.{name}": value for name, value in made.observations.state_dict().items()}
        session.policy.load_state_dict(state)
    warm_up(session)
    report = made.report
    _note(
        session,
        f"The policy started by imitating {report.num_episodes} episodes ({report.num_steps:,} steps); "
        f"actions that it had not seen had a log-likelihood of {-report.held_out_nll:.2f} nats.",
    )
    return report


def hold_to_imitated(session: Session) -> bool:
    """Hold a policy that has just imitated to what it does, if that lasts; return whether it is held.

    See ``demonstrations.hold_lasting``. Before there is a reward nothing else tells whether it is any good:
    how likely it finds what was done in each state says little of where it gets to.
    """
    if not session.config.following.reference_kl:
        return False
    shown = load_episodes(session.engine, session.blobs, session.run_id)
    explored = {episode.reset_seed for episode in session.memory.explored}
    own = [episode for episode in session.memory.recent if episode.reset_seed not in explored]
    lasting, wanted = (int(np.median([one.num_steps for one in some] or [0])) for some in (own, shown))
    if own and lasting < session.config.demonstrations.hold_lasting * wanted:
        _note(
            session,
            f"The policy is not held to what it imitated: its episodes end after {lasting:,} steps, those "
            f"shown after {wanted:,}.",
        )
        return False
    session.policy.hold_to_start(session.practised)
    return True


def try_clone(engine: sa.Engine, blobs: Blobs, run_id: str) -> tuple[PolicySnapshot, CloneReport]:
    """Return the policy that a run would start from, as it is set to and with what was shown so far.

    Raises:
        JobError: nothing was shown.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
    episodes = load_episodes(engine, blobs, run_id)
    if not episodes:
        raise JobError(
            f"nothing was shown to run {run_id} that counts; record an episode on the Demonstrate page or "
            "with `python -m rlhf demonstrate`."
        )
    task = get_task(run["task"])
    config, (_, action_space) = resolve(task, run["overrides"]), spaces_of(task)
    made = _clone(episodes, action_space, config, run["seed"])
    policy = PolicySnapshot(
        weights=made.actor.weights,
        biases=made.actor.biases,
        log_std=made.actor.free if action_space.kind == "continuous" else None,
        observation_shift=made.observations.shift,
        observation_scale=made.observations.scale,
        observation_clip=config.ppo.observation_clip,
        version=0,
        action_space=action_space,
    )
    return policy, made.report


def _clone(episodes: list[Episode], action_space: ActionSpace, config: RunConfig, seed: int) -> Clone:
    return clone(
        [(episode.observations[:-1], episode.actions) for episode in episodes],
        action_space,
        hidden=config.ppo.hidden,
        initial_log_std=config.ppo.initial_log_std,
        observation_clip=config.ppo.observation_clip,
        rng=generator(seed, "clone"),
        config=config.cloning,
    )


def _note(session: Session, message: str) -> None:
    with session.writing() as connection:
        runs.add_event(connection, session.run_id, session.steps, "clone", message)
