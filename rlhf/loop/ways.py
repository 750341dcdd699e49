"""Ways of fine-tuning a saved policy: what learns, how fast, how tightly held. No torch: pages use them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.look_at_source import Source
from rlhf.policy.config import UPDATES, Update

PACES = (1.0, 0.3)
"""Factors on the learning rate: what is known needs to be adapted, not found."""
HOLD = 0.1
"""``ppo.reference_kl`` of ways that are held to the source for a while."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """A way of fine-tuning."""

    update: Update = "all"
    """What learns."""
    pace: float = 1.0
    """Factor on the learning rate that a run would have."""
    hold: float = 0.0
    """Weight of the divergence from the source at the start."""

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """Return what a run of this way changes in the settings that it would have."""
        changed: dict[str, Any] = {"ppo.update": self.update}
        if self.pace != 1.0:
            changed["ppo.learning_rate"] = self.pace * config.ppo.learning_rate
        if self.hold:
            changed["ppo.reference_kl"] = self.hold
        return changed


def ways_for(source: Source) -> Iterator[Way]:
    """Return the ways that fit a source and its target, those that move most first.

    A hold is tried where everything learns: elsewhere the layers that stay as they are hold already.
    """
    for update in UPDATES:
        if source.allows(update):
            for hold in (0.0, HOLD) if update == "all" else (0.0,):
                for pace in PACES:
                    yield Way(update=update, pace=pace, hold=hold)


def usual_config(source: Source) -> RunConfig:
    """Return the settings of a run that starts from a source, whatever the way."""
    return resolve(source.task, source.kept_settings)
