"""A reward as a researcher writes it: weights of named features, how sure they are, and a potential."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from rlhf.errors import ConfigError

LARGEST_WEIGHT = 100.0
LEAST_SURE, MOST_SURE = 0.05, 0.95
"""Nobody is so sure that no answer could teach them better."""
MAX_NOTE = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """What one feature should count, as a guess."""

    feature: str
    """Its name, see ``reward.features.feature_names``."""
    weight: float
    """What one standard deviation of the feature is worth, beside the other weights of the design; below 0
    for what should be less."""
    sure: float = 0.5
    """How sure the guess is, in [0.05, 0.95]; see ``doubt``. More needs more answers to correct it."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_weight(self.feature, self.weight)
        if not LEAST_SURE <= self.sure <= MOST_SURE:
            raise ConfigError(
                f"{self.feature!r} is {self.sure} sure; it must lie between {LEAST_SURE} and {MOST_SURE}."
            )

    @property
    def doubt(self) -> float:
        """Standard deviation of the guess, as a share of the design's largest weight: 1 if sure by half."""
        return 1.0 / self.sure - 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Potential:
    """What one observed feature says of how far the agent has come: shapes the way, not the goal."""

    feature: str
    """Of an observation; changes, actions and flags are no states."""
    weight: float
    """What one standard deviation of the feature adds, in standard deviations of the reward per step."""
    target: float | None = None
    """The value to be near to, in the feature's unit; None: the more the better."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_weight(self.feature, self.weight)
        if self.weight == 0.0:
            raise ConfigError(f"the potential of {self.feature!r} weighs 0 and does nothing; leave it out.")
        if self.target is not None and not math.isfinite(self.target):
            raise ConfigError(f"the target of {self.feature!r} is {self.target}; it must be a number.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """A whole design. One without terms and potential takes back the design before it."""

    terms: tuple[Term, ...] = ()
    potential: Potential | None = None

    def __post_init__(self) -> None:
        """Check that the terms go together."""
        names = [term.feature for term in self.terms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"{twice[0]!r} has two terms; give each feature one.")
        if names and self.largest == 0.0:
            raise ConfigError("all weights are 0, which prefers nothing; give at least one another weight.")

    @property
    def largest(self) -> float:
        """The largest absolute weight; 0 without terms."""
        return max((abs(term.weight) for term in self.terms), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the design as plain JSON data; inverse of ``from_dict``."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Design":
        """Rebuild a design from ``to_dict``."""
        potential = data["potential"]
        return cls(
            terms=tuple(Term(**term) for term in data["terms"]),
            potential=None if potential is None else Potential(**potential),
        )


def _check_weight(feature: str, weight: float) -> None:
    if not abs(weight) <= LARGEST_WEIGHT:  # so that NaN is refused too
        raise ConfigError(
            f"the weight of {feature!r} is {weight}; it must lie between {-LARGEST_WEIGHT:g} and "
            f"{LARGEST_WEIGHT:g}."
        )
