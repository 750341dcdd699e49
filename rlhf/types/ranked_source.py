"""A pretrained policy as a candidate to start another task from."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankedSource:
    """What is known of a saved policy that could start a target task; None where it was not measured."""

    run_id: str | None
    """None is the control: no source, a policy from scratch."""
    version: int
    task: str
    """It was taught on."""
    num_parameters: int
    """Of the actor."""
    own_return: float | None = None
    """Mean true return in its own task, for evaluation only."""
    predicted_return: float | None = None
    """Mean return in the target before it has learned anything there, by a reward learned for the target."""
    zero_shot_return: float | None = None
    """The same by the target's true reward, for evaluation only."""
    short_arm: float | None = None
    """Mean reward per step at the end of a short fine-tuning, over the seeds that it was tried with."""
    steps: int | None = None
    """Environment steps of the short arm, with each seed: candidates that fall behind are given up early."""
    is_recommended: bool = False
    """After practice, of one: scratch, unless a source is clearly better than that."""
    update: str | None = None
    """Which parameters learned in the short arm, where ways of starting from one policy were compared."""
    pace: float = 1.0
    """Factor on the target's learning rate there."""
    hold: float = 0.0
    """Weight of the divergence from the source at its start."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "RankedSource":
        """Return what was stored; earlier programs stored other things as well."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def promise(self) -> tuple[float, ...]:
        """Return what the most promising has most of: practice decides, where there was any."""
        known = (
            self.is_recommended,
            self.short_arm,
            self.steps,
            self.predicted_return,
            self.zero_shot_return,
        )
        return tuple(-math.inf if value is None else value for value in known)


def why_from_scratch(ranked: Sequence[RankedSource]) -> str:
    """Return why practice recommends none of the sources; empty if it recommends one, or there was none.

    Args:
        ranked: the most promising first.
    """
    if len(ranked) < 2 or ranked[0].run_id is not None:
        return ""
    found = [source.short_arm for source in ranked if source.short_arm is not None]
    if found and max(found) > found[0]:
        return "None of these is clearly better than a policy from scratch: what one gains may be chance."
    return "A policy from scratch did best: starting from one of these would rather harm."
