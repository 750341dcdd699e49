"""What a researcher may decide about the people of a run and about single pairs."""

import enum


@enum.unique
class ActKind(enum.Enum):
    """What was decided; the value is what is stored."""

    PAUSE = "pause"
    """Whether a person is asked nothing more for now: true or false."""
    WEIGHT = "weight"
    """What a person's answers count, from 0 (not learned from) to 1."""
    GOLD = "gold"
    """The right answer to a pair, ``left``, ``right`` or ``equal`` as the pair was first asked; null where
    there is none."""

    @property
    def default(self) -> bool | float | None:
        """What holds where nothing was decided."""
        return {ActKind.PAUSE: False, ActKind.WEIGHT: 1.0, ActKind.GOLD: None}[self]


TEACHING_ACTS = (ActKind.WEIGHT, ActKind.GOLD)
"""Those that change what the reward model learns from."""
