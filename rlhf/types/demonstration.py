"""Whole episodes shown to an agent."""

import enum


@enum.unique
class DemonstrationSource(enum.Enum):
    """Who acted; the value is what is stored."""

    EXPERT = "expert"
    """A scripted expert."""
    PERSON = "person"
    """A person, from a reset on."""
    TAKEOVER = "takeover"
    """A person, from a state that recorded behaviour had led to."""
