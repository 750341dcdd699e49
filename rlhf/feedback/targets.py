"""An answer -> what is learned from it. The only home of these rules; first is the clip shown left."""

from collections import deque
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

_ACROSS = 2
"""Comparisons with clips of other pairs that a rating gives at most."""


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


def choice_of_places(left: int | None, right: int | None) -> Choice:
    """Return what a ranking says of a pair by the places of its clips, None for one that was not placed.

    Whatever was placed is better than whatever was not; of two that were not nothing is known.
    """
    if left == right:
        return Choice.SKIP
    return Choice.LEFT if right is None or (left is not None and left < right) else Choice.RIGHT


def choice_of_ratings(left: int | None, right: int | None) -> Choice:
    """Return what the ratings of both clips of a pair say of it; None is "can't tell".

    The same rating is an EQUAL: whoever rated saw both, one soon after the other.
    """
    if left is None or right is None:
        return Choice.SKIP
    return Choice.EQUAL if left == right else Choice.LEFT if left > right else Choice.RIGHT


def rated_pairs(
    ratings: Sequence[int | None], annotators: Sequence[str], queries: Sequence[str]
) -> list[tuple[int, int]]:
    """Return (better, worse) indices of ratings that say something about clips of different pairs.

    A rating means more or less than another of the same person; what a value means differs between people,
    and for one person it drifts. So each is held against the latest ones before it of two other values, by
    the same person and about other pairs, and against no more: a rating counts as two comparisons beside that
    of its own pair (``choice_of_ratings``), however many came before. Equal values say nothing across pairs.
    Two, as simulated ratings of 15 pairs (8 inputs, linear) then gave returns that correlate with the true
    ones by .87, those of 40 pairs by .96 (one: .84 and .96; four: .89 and .97; no other pair's: .74 and .94),
    and as more would drown the answers of those who compare pairs.

    Args:
        ratings: in the order they came; None is "can't tell".
        annotators: who gave each.
        queries: the pair that the clip of each is of.

    Source: Herbrich, Graepel and Obermayer, Large margin rank boundaries for ordinal regression, 2000: what
    ratings order is learned from as pairs of objects with different ranks. Differs: not all such pairs are
    taken, as n ratings would then count as n^2 answers.
    """
    pairs = []
    # By annotator and value. Two, as one of them may be of the same pair.
    latest: dict[str, dict[int, deque[int]]] = {}
    for index, (value, who, query) in enumerate(zip(ratings, annotators, queries, strict=True)):
        if value is None:
            continue
        own = latest.setdefault(who, {})
        others = [
            (max(indices), other)
            for other, found in own.items()
            if other != value and (indices := [i for i in found if queries[i] != query])
        ]
        for earlier, other in sorted(others, reverse=True)[:_ACROSS]:
            pairs.append((index, earlier) if value > other else (earlier, index))
        own.setdefault(value, deque(maxlen=2)).append(index)
    return pairs
