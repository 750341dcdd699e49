"""Sources and targets for ``transfer``: behaviour of real environments, judged by made-up tastes.

A taste says what somebody who watches calls better: a weighted sum of what can be seen in a clip, so that
nobody has to be asked.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from rlhf.experience.random_policies import RandomPolicies
from rlhf.experience.rollout import Collector
from rlhf.experience.segments import sample_segments
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import resolve
from rlhf.loop.train_on_true_reward import learn_true_reward
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator
from rlhf.types.experience import Episode, Float32, Float64, Int64
from rlhf.types.feedback import PreferenceData
from rlhf.types.task import Task

Noise = Literal["oracle", "stochastic"]
NOISES: tuple[Noise, ...] = ("oracle", "stochastic")
"""Answers by the taste alone; or by chance too, so that the better of two typical clips wins 3 times in 4."""
Taste = Mapping[str, float]
"""Weights of what is seen, each in units of how much clips differ in it; empty: random ones of everything."""
_STEPS = 20_000
_ENVS = 10
_SEGMENTS = 1_000
_TYPICAL_LEAD = 0.6745
"""Half of all pairs differ by less, in standard deviations of the difference."""

_SEEN: Mapping[str, Callable[[Mapping[str, Float32]], Float32]] = {
    "upright": lambda x: x["cosine of angle"],
    "leaning": lambda x: np.cos(np.arctan2(x["sine of angle"], x["cosine of angle"]) - np.float32(0.5)),
    "spinning": lambda x: x["angular velocity"] ** 2,
    "rocking": lambda x: np.abs(x["torso angular velocity"]),
}
"""What is seen that is not a feature itself."""
_RUN: Taste = {"forward velocity": 1.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Where answers were given before, and where they are to be given."""

    source_task: str
    target_task: str
    source: Taste
    target: Taste
    is_related: bool = True
    is_later: bool = False
    """The target's answers are about what a policy does that learns, the source's about random behaviour."""


_CALMLY: Taste = {**_RUN, "rocking": -0.4}
PAIRS: Mapping[str, Pair] = {
    "halfcheetah, run -> run calmly": Pair(
        source_task="halfcheetah-run", target_task="halfcheetah-run", source=_RUN, target=_CALMLY
    ),
    "hopper, run -> run high": Pair(
        source_task="hopper-run", target_task="hopper-run", source=_RUN, target={**_RUN, "height": 0.4}
    ),
    "hopper, random -> learned behaviour": Pair(
        source_task="hopper-run", target_task="hopper-run", source=_RUN, target=_RUN, is_later=True
    ),
    "halfcheetah -> hopper": Pair(
        source_task="halfcheetah-run", target_task="hopper-run", source=_RUN, target=_RUN
    ),
    "pendulum, upright -> leaning": Pair(
        source_task="pendulum-swingup",
        target_task="pendulum-swingup",
        source={"upright": 1.0, "spinning": -0.3},
        target={"leaning": 1.0, "spinning": -0.3},
    ),
    "halfcheetah, the opposite taste": Pair(
        source_task="halfcheetah-run",
        target_task="halfcheetah-run",
        source={"forward velocity": -1.0},
        target=_CALMLY,
        is_related=False,
    ),
    "halfcheetah, a random taste": Pair(
        source_task="halfcheetah-run",
        target_task="halfcheetah-run",
        source={},
        target=_CALMLY,
        is_related=False,
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Behaviour:
    """S segments of a task."""

    features: Float32
    """(S, L, F)."""
    names: tuple[str, ...]
    """(F,), of the features."""


def behaviour_of(task_name: str, *, is_learned: bool) -> Behaviour:
    """Return segments of the varied behaviour that runs begin with, or of PPO on the task's own reward."""
    task = get_task(task_name)
    inputs = RewardInputs(action_space=spaces_of(task)[1])
    episodes = _learned(task) if is_learned else _explored(task)
    segments = sample_segments(
        episodes, _SEGMENTS, task.segment_steps, task.horizon, generator(0, "segments")
    )
    return Behaviour(
        features=np.stack([inputs.segment(segment) for segment in segments]),
        names=inputs.names(task.feature_names),
    )


def _explored(task: Task) -> list[Episode]:
    stepper = VectorStepper(task, _ENVS, 0, stagger=True)
    policy = RandomPolicies(stepper.action_space, stepper.observation_dim, _ENVS)
    try:
        collected = Collector(stepper).collect(policy, _STEPS // _ENVS, generator(0, "act"))
    finally:
        stepper.close()
    return collected.episodes


def _learned(task: Task) -> list[Episode]:
    turns = learn_true_reward(task, resolve(task, {"schedule.total_steps": _STEPS}), 0)
    return [episode for turn in turns for episode in turn.collected.episodes]


def values_of(behaviour: Behaviour, taste: Taste, rng: np.random.Generator) -> Float64:
    """Return what a taste makes of each segment, (S,); typical differences are 1."""
    columns = dict(zip(behaviour.names, np.moveaxis(behaviour.features, -1, 0), strict=True))
    observed = behaviour.names[: len(behaviour.names) // 2]
    weights = taste or {name: float(rng.normal()) for name in observed}
    values = np.zeros(len(behaviour.features))
    for name, weight in weights.items():
        seen = _SEEN[name](columns) if name in _SEEN else columns[name]
        means = seen.mean(axis=1, dtype=np.float64)
        values += weight * means / max(float(means.std()), 1e-6)
    return np.asarray(values / (np.sqrt(2.0) * values.std()))


def compare(
    behaviour: Behaviour, values: Float64, chosen: Int64, noise: Noise, rng: np.random.Generator
) -> PreferenceData:
    """Return answers about the first half of the chosen segments (2 Q,) beside the second half."""
    first, second = np.split(np.arange(len(chosen)), 2)
    probability = prob_first(values[chosen[first]] - values[chosen[second]], noise)
    return PreferenceData(
        features=behaviour.features[chosen],
        first=first,
        second=second,
        prob_first=(rng.random(len(first)) < probability).astype(np.float32),
        annotator=np.zeros(len(first), np.int64),
    )


def prob_first(lead: Float64, noise: Noise) -> Float64:
    """Return how probable it is that the first is called better, given its lead in typical differences."""
    if noise == "oracle":
        return (lead > 0).astype(np.float64)
    return np.asarray(1.0 / (1.0 + np.exp(-np.log(3.0) / _TYPICAL_LEAD * lead)))
