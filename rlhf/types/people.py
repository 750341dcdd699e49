"""What people may do, and what a researcher may decide about them. The value is what the database holds."""

import enum


@enum.unique
class Role(enum.Enum):
    """A person's role; each includes what those before it may do."""

    ANNOTATOR = "annotator"
    """Compares clips of the runs they are invited to, and sees nothing else."""
    RESEARCHER = "researcher"
    """Starts and stops runs, sees rewards, replays and answers, invites annotators."""
    ADMIN = "admin"
    """Also invites anybody and changes people's roles."""

    def includes(self, least: "Role") -> bool:
        """Whether somebody with this role may do what ``least`` may."""
        order = list(Role)
        return order.index(self) >= order.index(least)


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

    def allows(self, value: object) -> bool:
        """Whether a value can be decided."""
        match self:
            case ActKind.PAUSE:
                return isinstance(value, bool)
            case ActKind.WEIGHT:
                return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
            case ActKind.GOLD:
                return value in (None, "left", "right", "equal")


TEACHING_ACTS = (ActKind.WEIGHT, ActKind.GOLD)
"""Those that change what the reward model learns from."""
