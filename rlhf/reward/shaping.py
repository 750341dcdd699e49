"""Potential-based shaping: a reward for coming nearer that leaves the best policy what it was.

    F(s, s') = gamma Phi(s') - Phi(s),     Phi = 0 in the absorbing state

With gamma the learner's own discount, every policy's value changes by -Phi(s) alone, so that no comparison of
policies does. It is no part of what segments are worth to people and is added after the reward was bounded: a
bound would spoil the sum. Where only time ran out, s' has its potential, as the learner counts on what would
have come after it.

Source: Ng, Harada and Russell 1999, "Policy invariance under reward transformations", theorem 1.
"""

import dataclasses

import numpy as np

from rlhf.types.design import Potential
from rlhf.types.experience import Bool, Float32

_SMALLEST_SD = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shaping:
    """A potential over one entry of the observation, in raw units."""

    column: int
    """Which entry."""
    slope: float
    """What one unit of it adds to the potential, in standard deviations of the reward per step."""
    origin: float
    """Where the potential is 0."""
    is_nearness: bool
    """Whether the potential falls on both sides of ``origin``."""

    def potentials(self, observations: Float32) -> Float32:
        """Return Phi of raw observations (..., D), (...)."""
        away = observations[..., self.column] - np.float32(self.origin)
        potentials: Float32 = np.float32(self.slope) * (-np.abs(away) if self.is_nearness else away)
        return potentials

    def rewards(
        self, observations: Float32, next_observations: Float32, terminated: Bool, discount: float
    ) -> Float32:
        """Return what the policy gets on top of the reward for each transition, (...).

        Args:
            observations: raw, (..., D).
            next_observations: raw, before any reset, (..., D).
            terminated: whether the transition led into the absorbing state, (...).
            discount: gamma of whoever learns from it.
        """
        after = np.where(terminated, np.float32(0.0), self.potentials(next_observations))
        rewards: Float32 = np.float32(discount) * after - self.potentials(observations)
        return rewards


def make_shaping(potential: Potential, column: int, values: Float32) -> Shaping:
    """Return a designed potential in raw units.

    Args:
        potential: as it was written.
        column: of its feature.
        values: of the feature in present behaviour, any shape; one that never varies shapes nothing.
    """
    sd = float(values.std(dtype=np.float64))
    return Shaping(
        column=column,
        slope=potential.weight / sd if sd > _SMALLEST_SD else 0.0,
        origin=float(values.mean(dtype=np.float64)) if potential.target is None else potential.target,
        is_nearness=potential.target is not None,
    )
