"""A pretrained policy as a candidate to start another task from."""

import dataclasses
import math


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
    share: float = 0.0
    """Of the short arm's budget that it got: candidates that fall behind are given up early."""
    update: str | None = None
    """Which parameters learned in the short arm, where ways of starting from one policy were compared."""
    pace: float = 1.0
    """Factor on the target's learning rate there."""
    hold: float = 0.0
    """Weight of the divergence from the source at its start."""

    def promise(self) -> tuple[float, ...]:
        """Return what the most promising has most of: practice decides, where there was any."""
        known = (self.short_arm, self.share, self.predicted_return, self.zero_shot_return)
        return tuple(-math.inf if value is None else value for value in known)
