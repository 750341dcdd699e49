"""Policy -> experience: a rollout to learn from and finished episodes to ask about."""

import dataclasses

import numpy as np

from rlhf.experience.random_policies import RandomPolicies, UniformRandomPolicy
from rlhf.experience.rollout import Collector
from rlhf.experience.segments import sample_segments
from rlhf.experience.vector import VectorStepper
from rlhf.feedback.teachers import teacher_scale
from rlhf.loop.memory import Memory
from rlhf.loop.session import Session
from rlhf.seeding import generator
from rlhf.storage import runs
from rlhf.types.experience import Rollout
from rlhf.types.task import Task

_BASELINE_ENVS = 16
_SCALE_SEGMENTS = 200


def explore(session: Session) -> None:
    """Gather diverse behaviour from random networks, for the questions before there is a reward.

    Uses environments of its own, so that the policy's own experience starts from fresh episodes.
    """
    with session.timed("experience"):
        num_envs = session.config.collect.num_envs
        seed = int(generator(session.seed, "explore").integers(2**31))
        stepper = VectorStepper(session.task, num_envs, seed)
        policies = RandomPolicies(stepper.action_space, stepper.observation_dim, num_envs)
        # A rollout that ends with an episode in every environment wastes nothing on unfinished ones.
        num_steps = max(session.task.horizon, session.config.collect.explore_steps // num_envs)
        collected = Collector(stepper).collect(policies, num_steps, generator(session.seed, "explore", "act"))
        stepper.close()
    session.memory.add(collected.episodes, collected.true_rewards)
    session.steps += collected.rollout.num_steps
    if session.task.has_true_reward:
        baseline = measure_baseline(session.task, session.seed)
        with session.writing() as connection:
            runs.update_run(connection, session.run_id, baseline=baseline)


def collect_experience(session: Session) -> Rollout:
    """Run the current policy for one rollout; remember it and the episodes it finished."""
    with session.timed("experience"):
        collected = session.collector.collect(
            session.policy, session.config.ppo.num_steps, session.rngs["act"]
        )
    session.memory.add(collected.episodes, collected.true_rewards)
    session.memory.rollouts.append(collected.rollout)
    session.steps += collected.rollout.num_steps
    return collected.rollout


def measure_baseline(task: Task, seed: int) -> dict[str, object]:
    """Return a uniformly random policy's mean true return and the scale that teachers judge by."""
    stepper = VectorStepper(task, _BASELINE_ENVS, int(generator(seed, "baseline").integers(2**31)))
    policy, rng = UniformRandomPolicy(stepper.action_space), generator(seed, "baseline", "act")
    # A whole horizon: every environment finishes at least one episode.
    collected = Collector(stepper).collect(policy, task.horizon, rng)
    stepper.close()
    memory = Memory(recent=len(collected.episodes), older=1, rollouts=1, rng=rng)
    memory.add(collected.episodes, collected.true_rewards)
    segments = sample_segments(collected.episodes, _SCALE_SEGMENTS, task.segment_steps, task.horizon, rng)
    scale = teacher_scale(np.stack([memory.true_rewards_of(segment) for segment in segments]))
    return {
        "random_return": float(np.mean(memory.true_returns(task.horizon))),
        "teacher_scale": dataclasses.asdict(scale),
    }
