"""Known rewards over smooth made-up behaviour, and noisy comparisons of its segments."""

import dataclasses
from typing import Literal

import numpy as np

from rlhf.reward.features import RewardInputs
from rlhf.types.experience import Float32, Float64
from rlhf.types.feedback import PreferenceData
from rlhf.types.task import ActionSpace

STEPS = 50
NUM_HELD_OUT = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    data: PreferenceData
    held_out: Float32
    """(300, 50, F), segments that were not compared."""
    true_rewards: Float64
    """(300, 50), of the held-out segments."""

    @property
    def reference(self) -> Float32:
        return self.data.features.reshape(-1, self.data.features.shape[-1])


def make_problem(
    truth: Literal["linear", "pendulum"],
    seed: int,
    num_comparisons: int,
    *,
    mistakes: float = 0.1,
    labels: Literal["true", "random", "flipped"] = "true",
) -> Problem:
    rng = np.random.default_rng(seed)
    observations = _drifting(rng) if truth == "linear" else _pendulum(rng, 2 * num_comparisons + NUM_HELD_OUT)
    observations = observations[: 2 * num_comparisons + NUM_HELD_OUT]
    if truth == "linear":
        true_rewards = observations[:, 1:] @ rng.normal(size=observations.shape[-1])
    else:
        angle = np.arctan2(observations[:, :-1, 1], observations[:, :-1, 0])
        true_rewards = -(angle**2 + 0.1 * observations[:, :-1, 2] ** 2)
    num_pool = 2 * num_comparisons
    order = rng.permutation(num_pool).astype(np.int64)
    first, second = order[:num_comparisons], order[num_comparisons:]
    returns = true_rewards.sum(axis=1)
    prob_first = (returns[first] > returns[second]).astype(np.float32)
    is_mistaken = rng.random(num_comparisons) < mistakes
    prob_first[is_mistaken] = 1.0 - prob_first[is_mistaken]
    if labels == "random":
        prob_first = rng.integers(0, 2, num_comparisons).astype(np.float32)
    if labels == "flipped":
        prob_first = 1.0 - prob_first
    features = _features(observations)
    return Problem(
        data=PreferenceData(
            features=features[:num_pool],
            first=first,
            second=second,
            prob_first=prob_first,
            annotator=np.zeros(num_comparisons, dtype=np.int64),
        ),
        held_out=features[num_pool:],
        true_rewards=true_rewards[num_pool:],
    )


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rho of arrays without ties."""
    ranks = [np.argsort(np.argsort(array.ravel())) for array in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _features(observations: Float64) -> Float32:
    raw = observations.astype(np.float32)
    inputs = RewardInputs(action_space=ActionSpace("continuous", 1))
    return inputs.steps(raw[:, :-1], np.zeros((*raw[:, 1:].shape[:2], 1), np.float32), raw[:, 1:])


def _drifting(rng: np.random.Generator, num_segments: int = 1400, dim: int = 4) -> Float64:
    """Observations (S, 51, D) that wander about a point of their own."""
    states = np.empty((num_segments, STEPS + 1, dim))
    states[:, 0] = rng.normal(size=(num_segments, dim))
    for step in range(STEPS):
        noise = rng.normal(0.0, np.sqrt(1.0 - 0.9**2), (num_segments, dim))
        states[:, step + 1] = 0.9 * states[:, step] + noise
    return 0.8 * states + rng.normal(0.0, 0.7, (num_segments, 1, dim))


def _pendulum(rng: np.random.Generator, num_segments: int) -> Float64:
    """Observations (S, 51, 3), cos, sin and speed, of pendulums under random feedback laws."""
    angle, speed = rng.uniform(-np.pi, np.pi, num_segments), rng.uniform(-6.0, 6.0, num_segments)
    gains = rng.normal(size=(num_segments, 4)) * [1.0, 1.0, 0.3, 0.5]
    rows = []
    for _ in range(STEPS + 1):
        seen = np.stack([np.cos(angle), np.sin(angle), speed], axis=1)
        rows.append(seen)
        push = np.tanh((seen * gains[:, :3]).sum(axis=1) + gains[:, 3] + 0.3 * rng.normal(size=num_segments))
        speed = np.clip(speed + 0.05 * (15.0 * np.sin(angle) + 6.0 * push), -8.0, 8.0)
        angle = angle + 0.05 * speed
    return np.stack(rows, axis=1)
