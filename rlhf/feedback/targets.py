"""An answer -> the target P(first preferred). The only home of this rule; first is the clip shown left."""

from rlhf.types.feedback import Choice

_PROB_FIRST: dict[Choice, float | None] = {
    Choice.LEFT: 1.0,
    Choice.RIGHT: 0.0,
    Choice.EQUAL: 0.5,
    Choice.SKIP: None,
    Choice.UNDO: None,
}


def prob_first(choice: Choice) -> float | None:
    """Return the target P(first preferred), or None for answers that say nothing about the order.

    LEFT 1, RIGHT 0, EQUAL 0.5, also where it came as "both bad": that says nothing more about the order of
    the two, and the fact is kept with the answer. SKIP and UNDO give none. The reward model allows for
    mistakes in its likelihood, so targets are not smoothed here.
    """
    return _PROB_FIRST[choice]
