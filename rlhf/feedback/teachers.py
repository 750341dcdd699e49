"""Synthetic teachers that answer by the true reward, with the failings of people.

The model is that of B-Pref (https://arxiv.org/abs/2111.03026, sec. 3): skip, equal, myopia, a stochastic
choice, mistakes, in this order. Differs: thresholds and the scale of the stochastic choice come from the
spread of a random policy's segment returns, not from the learner's mean return, so they mean the same in
every environment, also where rewards are negative, and do not follow the learner.

A teacher is described by a SPEC such as ``mistake:0.1``, or several joined by ``+`` for a mixed crowd of
which one member, drawn anew for each query, answers.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import FeedbackError
from rlhf.types.experience import Float64
from rlhf.types.feedback import Choice

EQUAL_SHARE = 0.1
"""Returns that differ by less than this share of a random pair's spread look equal."""
SKIP_QUANTILE = 0.1
"""Segments both below this quantile of a random policy's returns are too bad to tell apart."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherScale:
    """What a random policy's segments look like; teachers judge relative to it."""

    difference_sd: float
    """Standard deviation of the return difference of two random segments; > 0."""
    poor_return: float
    """Return below which a segment counts as hopeless."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """A teacher's answer and which member of the crowd gave it."""

    choice: Choice
    member: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """One teacher: B-Pref's parameters."""

    name: str
    beta: float = math.inf
    """Rationality: P(left) = sigmoid(beta * return difference / difference_sd). Infinite: always right,
    0: random, negative: prefers the worse."""
    discount: float = 1.0
    """Myopia: the weight of a step falls by this factor for each step before the last."""
    mistake: float = 0.0
    """Share of decided answers that are turned round."""
    skips: bool = False
    """Whether two hopeless segments are skipped."""
    equals: bool = False
    """Whether segments with nearly the same return are called equal."""

    def answer(self, left: Float64, right: Float64, scale: TeacherScale, rng: np.random.Generator) -> Choice:
        """Return the choice for true rewards (L,) of both segments."""
        returns = left.sum(), right.sum()
        if self.skips and max(returns) < scale.poor_return:
            return Choice.SKIP
        if self.equals and abs(returns[0] - returns[1]) < EQUAL_SHARE * scale.difference_sd:
            return Choice.EQUAL
        weights = self.discount ** np.arange(len(left) - 1, -1, -1)
        difference = float((weights * (left - right)).sum()) / scale.difference_sd
        if math.isinf(self.beta):
            if difference == 0.0:
                return Choice.EQUAL
            prefers_left = (difference > 0) == (self.beta > 0)
        else:
            prefers_left = bool(
                rng.random() < 1.0 / (1.0 + math.exp(-np.clip(self.beta * difference, -30, 30)))
            )
        if self.mistake and rng.random() < self.mistake:
            prefers_left = not prefers_left
        return Choice.LEFT if prefers_left else Choice.RIGHT


_KINDS = {
    "oracle": Member(name="oracle"),
    "random": Member(name="random", beta=0.0),
    "flipped": Member(name="flipped", beta=-math.inf),
    "stochastic": Member(name="stochastic", beta=1.0),
    "mistake": Member(name="mistake", mistake=0.1),
    "myopic": Member(name="myopic", discount=0.9),
    "skip": Member(name="skip", skips=True),
    "equal": Member(name="equal", equals=True),
}
_PARAMETERS = {"mistake": "mistake", "myopic": "discount", "stochastic": "beta"}
_RANGES = {"mistake": (0.0, 1.0), "myopic": (0.0, 1.0), "stochastic": (0.0, math.inf)}


class Teacher:
    """One or several members, of which one answers each query.

    Args:
        members: at least one.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)

    def answer(self, left: Float64, right: Float64, scale: TeacherScale, rng: np.random.Generator) -> Answer:
        """Return the answer to one query.

        Args:
            left: true rewards of the left segment, (L,).
            right: true rewards of the right segment, (L,).
            scale: of a random policy on the same task.
            rng: of this answer.

        Raises:
            ShapeError: the segments differ in length.
        """
        check_shape("right", right, left.shape)
        member = self.members[int(rng.integers(len(self.members)))]
        return Answer(choice=member.answer(left, right, scale, rng), member=member.name)


def parse_teacher(spec: str) -> Teacher:
    """Return the teacher that a SPEC describes.

    Raises:
        FeedbackError: the SPEC names no known teacher or a parameter outside its range.
    """
    return Teacher([_parse_member(part.strip()) for part in spec.split("+")])


def teacher_scale(true_rewards: Float64) -> TeacherScale:
    """Return the scale that random segments' true rewards (S, L) set.

    A task whose random segments all have the same return (a sparse reward) gets a spread of one.
    """
    check_shape("true_rewards", true_rewards, (None, None))
    returns = true_rewards.sum(axis=1)
    spread = float(np.sqrt(2.0) * returns.std())
    return TeacherScale(
        difference_sd=spread if spread > 0 else 1.0, poor_return=float(np.quantile(returns, SKIP_QUANTILE))
    )


def _parse_member(text: str) -> Member:
    kind, has_value, value = text.partition(":")
    if kind not in _KINDS or (has_value and kind not in _PARAMETERS):
        known = ", ".join(f"{k}[:number]" if k in _PARAMETERS else k for k in _KINDS)
        raise FeedbackError(f"teacher {text!r} is not known; use one of {known}, or several joined by '+'.")
    if not has_value:
        return _KINDS[kind]
    low, high = _RANGES[kind]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise FeedbackError(f"teacher {text!r}: {value!r} must be a number from {low:g} to {high:g}.")
    changes: dict[str, Any] = {_PARAMETERS[kind]: number}
    return dataclasses.replace(_KINDS[kind], name=text, **changes)
