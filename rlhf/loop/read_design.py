"""The design that holds and present behaviour -> where the reward of a run starts from."""

import numpy as np

from rlhf.experience.segments import num_starts, sample_segments
from rlhf.loop.observed import observed
from rlhf.loop.session import Session
from rlhf.reward.design import DesignedReward
from rlhf.reward.shaping import make_shaping
from rlhf.seeding import generator
from rlhf.types.design import Design

_SEGMENTS = 200
"""Of present behaviour, that say what is typical."""


def designed_reward(session: Session, number: int, design: Design) -> DesignedReward | None:
    """Return a design among the features of a run, with segments of its present behaviour.

    Args:
        session: holds the behaviour.
        number: of the design in the store.
        design: None comes of an empty one.
    """
    if not design.terms and design.potential is None:
        return None
    task, dim = session.task, session.collector.stepper.observation_dim
    names = session.inputs.names(observed(task.name, dim)[0])
    # A stream of its own: a run that has no design must be what it was.
    rng = generator(session.seed, "design", session.reward_version)
    episodes = {e.reset_seed: e for e in (*session.memory.older, *session.memory.recent)}
    usable = [e for e in episodes.values() if num_starts(e, task.segment_steps, task.horizon)]
    chosen = sample_segments(usable, _SEGMENTS, task.segment_steps, task.horizon, rng)
    features = np.stack([session.inputs.segment(segment) for segment in chosen])
    shaping = None
    if (potential := design.potential) is not None:
        column = names.index(potential.feature)
        shaping = make_shaping(potential, column, features[..., column])
    return DesignedReward(
        number=number,
        design=design,
        columns=np.array([names.index(term.feature) for term in design.terms], np.int64),
        shaping=shaping,
        segments=features,
    )
