"""Policy -> experience: a rollout to learn from and finished episodes to ask about."""

import dataclasses

from rlhf.experience.random_policies import RandomPolicies
from rlhf.experience.rollout import Collector
from rlhf.experience.vector import VectorStepper
from rlhf.loop.baseline import measure_baseline
from rlhf.loop.config import RunConfig
from rlhf.loop.session import Session
from rlhf.seeding import generator
from rlhf.storage import runs
from rlhf.types.experience import Rollout
from rlhf.types.protocols import ActingPolicy

_EXPLORE_SHARE = 0.2
"""Of a run's steps, at most: the rest is for learning."""
_EXPLORED_CLIPS = 2
"""Length of a random episode in clips, where nothing else ends it. What moves at random soon lies on the
ground; practice starts where it still stands, so that is what there must be answers about."""


def explore(session: Session, policy: ActingPolicy | None = None) -> None:
    """Gather behaviour for the questions before there is a reward: diverse, from random networks.

    Takes ``collect.explore_steps``, but no more than a fifth of the run, and a horizon in every environment
    at least; random episodes that nothing ends are cut after two clips, so it starts often. Uses
    environments of its own, so that the policy's own experience starts from fresh episodes.

    Args:
        session: of a run that begins.
        policy: one that knows something already; an episode of its own in every environment is enough then.
    """
    with session.timed("experience"):
        num_envs = session.config.collect.num_envs
        seed = int(generator(session.seed, "explore").integers(2**31))
        task, num_steps = session.task, explore_length(session.config, session.task.horizon)
        if policy is not None:
            num_steps = task.horizon
        elif not task.ends_early:
            task = dataclasses.replace(task, horizon=min(task.horizon, _EXPLORED_CLIPS * task.segment_steps))
        stepper = VectorStepper(task, num_envs, seed)
        acting = policy or RandomPolicies(stepper.action_space, stepper.observation_dim, num_envs)
        collected = Collector(stepper).collect(acting, num_steps, generator(session.seed, "explore", "act"))
        stepper.close()
    session.memory.add_explored(collected.episodes, collected.true_rewards)
    session.steps += collected.rollout.num_steps
    if policy is None:
        _say_how_far(session)
    if session.task.has_true_reward:
        baseline = measure_baseline(session.task, session.seed)
        with session.writing() as connection:
            runs.update_run(connection, session.run_id, baseline=baseline)


def explore_length(config: RunConfig, horizon: int) -> int:
    """Return the steps of every environment in the exploration.

    A whole episode at least: segments are cut from finished ones.
    """
    return max(horizon, _at_most_a_share(config, config.collect.explore_steps) // config.collect.num_envs)


def novelty_steps(config: RunConfig) -> int:
    """Return the steps in which the policy may seek what is new."""
    return _at_most_a_share(config, config.collect.novelty_steps)


def collect_experience(session: Session) -> Rollout:
    """Run the current policy for one rollout; remember it and the episodes it finished."""
    with session.timed("experience"):
        collected = session.collector.collect(
            session.policy, session.config.ppo.num_steps, session.rngs["act"]
        )
    remember = session.memory.add_explored if session.is_exploring else session.memory.add
    remember(collected.episodes, collected.true_rewards)
    session.memory.rollouts.append(collected.rollout)
    if session.reward is not None and not session.is_exploring:
        session.memory.forget_exploration()  # the first questions, which it is for, have been answered
    session.steps += collected.rollout.num_steps
    return collected.rollout


def _at_most_a_share(config: RunConfig, num_steps: int) -> int:
    return min(num_steps, int(_EXPLORE_SHARE * config.schedule.total_steps))


def _say_how_far(session: Session) -> None:
    """Note on the run what the exploration took, if it is not what was set or leaves nothing to learn in."""
    total, collect = session.config.schedule.total_steps, session.config.collect
    rollout = session.config.ppo.num_steps * collect.num_envs
    if session.steps + rollout > total:
        message = (
            f"Exploration takes {session.steps:,} of the run's {total:,} steps and one rollout {rollout:,}: "
            f"too few are left to learn in. Set schedule.total_steps to {5 * session.steps:,} or more, or "
            "collect.num_envs lower."
        )
    elif session.steps + collect.num_envs <= collect.explore_steps:
        message = (
            f"Exploration was cut from {collect.explore_steps:,} to {session.steps:,} steps, "
            "a fifth of the run."
        )
    else:
        return
    with session.writing() as connection:
        runs.add_event(connection, session.run_id, session.steps, "explore", message)
