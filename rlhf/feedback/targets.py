"""An answer -> what is learned from it. The only home of these rules; first is the clip shown left."""

from collections.abc import Sequence

import numpy as np

from rlhf.types.experience import Int64
from rlhf.types.feedback import Choice, Strength

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


def strengths(said: Sequence[int | None], annotators: Sequence[str]) -> Int64:
    """Return how clearly each comparison was decided, as ``Strength``.

    "Better" (1) is SLIGHT and "much better" (2) is CLEAR: on the page they are neighbouring answers, so the
    first also says "not much". Whoever has never said "much better" does not use the scale: their "better"
    stays UNSAID, or every clear preference of theirs would be taken for a slight one.

    Args:
        said: what came with each answer; None for ties, teachers and answers from before it was asked.
        annotators: who gave each.
    """
    uses_scale = {who for value, who in zip(said, annotators, strict=True) if value == Strength.CLEAR}
    return np.array(
        [
            Strength.UNSAID if value is None or who not in uses_scale else Strength(value)
            for value, who in zip(said, annotators, strict=True)
        ],
        np.int64,
    )
