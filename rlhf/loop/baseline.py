"""What random behaviour is worth: the zero of every comparison, and the scale that teachers judge by."""

import dataclasses

import numpy as np

from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.rollout import Collector
from rlhf.experience.segments import sample_segments
from rlhf.experience.vector import VectorStepper
from rlhf.feedback.teachers import teacher_scale
from rlhf.loop.memory import Memory
from rlhf.seeding import generator
from rlhf.types.task import Task

_BASELINE_ENVS = 16
_SCALE_SEGMENTS = 200


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
