"""What an answer says about the order of two segments: the only place that knows."""

from rlhf.types.feedback import Choice

_PROB_FIRST: dict[Choice, float] = {Choice.LEFT: 1.0, Choice.RIGHT: 0.0, Choice.EQUAL: 0.5}


def prob_first(choice: Choice) -> float | None:
    """Return the target P(first preferred), the first being the clip shown left.

    None where the answer says nothing about the order: SKIP ("can't tell") and UNDO.
    """
    return _PROB_FIRST.get(choice)
