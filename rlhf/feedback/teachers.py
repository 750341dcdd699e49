"""Synthetic teachers: answer queries from the true reward, with the faults that people have.

Each member of a crowd has one fault (B-Pref, https://arxiv.org/abs/2111.03026, "Simulated human
teachers"): answers in the order skip, equal, myopia, choice, mistake. Differs: thresholds come from a
random policy's segments instead of the learner's own returns, so that they do not leak how well it does;
the rationality of ``stochastic`` is measured in standard deviations of such segments, so that it is
equally noisy in every environment; and a mistake is applied once.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_finite, check_shape
from rlhf.errors import FeedbackError
from rlhf.types.experience import Float64
from rlhf.types.feedback import Choice

Rewards = npt.NDArray[np.floating[Any]]

_TIE = 1e-9
"""Returns that differ by less than this share of their size are equal up to rounding."""
_SCALE_PAIRS = 10_000
"""Pairs that the standard deviation of return differences is taken over at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherScale:
    """How large segment returns are under a random policy; thresholds are shares of it."""

    mean_return: float
    """Mean segment return."""
    lowest_return: float
    """Smallest segment return that was seen."""
    difference_sd: float
    """Standard deviation of the difference of two segments' returns, >= 0."""

    @property
    def bad_return(self) -> float:
        """A return as poor as nothing: 0 where returns are never negative, else the lowest seen.

        B-Pref takes a share of the mean return, which presumes that 0 means nothing achieved. Where
        returns can be negative (Pendulum: always) such a share lies above every return or below none,
        so there the zero point moves to the random policy's worst segment.
        """
        return min(0.0, self.lowest_return)

    @property
    def typical_return(self) -> float:
        """What a random policy's mean segment achieves above ``bad_return``, >= 0."""
        return max(0.0, self.mean_return - self.bad_return)

    @property
    def typical_difference(self) -> float:
        """What two returns are compared with to be called equal, >= 0.

        B-Pref's mean return where returns are never negative; else the spread of differences, because
        differences do not depend on where the zero point lies.
        """
        return self.mean_return if self.lowest_return >= 0.0 else self.difference_sd


def teacher_scale(true_rewards: Rewards) -> TeacherScale:
    """Return the scale of segment returns.

    Args:
        true_rewards: of S >= 2 segments of a random policy, (S, L).

    Raises:
        FeedbackError: there are fewer than two segments.
    """
    check_shape("true_rewards", true_rewards, (None, None))
    check_finite("true_rewards", true_rewards)
    if len(true_rewards) < 2:
        raise FeedbackError(
            f"a teacher's scale needs at least 2 random segments; it got {len(true_rewards)}."
        )
    returns = true_rewards.astype(np.float64).sum(axis=1)
    return TeacherScale(
        mean_return=float(returns.mean()),
        lowest_return=float(returns.min()),
        # the difference of two independent draws has twice the variance of one
        difference_sd=float(math.sqrt(2.0) * returns.std(ddof=1)),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherMember:
    """One annotator of a synthetic crowd; the defaults are a perfect one."""

    name: str
    """Annotator name, unique in its crowd."""
    rationality: float = math.inf
    """beta in units of one over ``TeacherScale.difference_sd``; infinite is never unsure, 0 a coin."""
    discount: float = 1.0
    """Weight of a step against the next one; below 1 the end of a clip counts most."""
    mistake_share: float = 0.0
    """Probability of answering the opposite."""
    skip_share: float = 0.0
    """Skips if both returns are below this share of a typical return."""
    equal_share: float = 0.0
    """Says equal if the returns differ by less than this share of a typical difference."""

    def choose(
        self,
        true_rewards_left: Rewards,
        true_rewards_right: Rewards,
        scale: TeacherScale,
        rng: np.random.Generator,
    ) -> Choice:
        """Return the answer to one query; see ``Teacher.answer``."""
        left, right = _segment_return(true_rewards_left), _segment_return(true_rewards_right)
        if self.skip_share and max(left, right) < scale.bad_return + self.skip_share * scale.typical_return:
            return Choice.SKIP
        if self.equal_share and abs(left - right) < self.equal_share * scale.typical_difference:
            return Choice.EQUAL
        left = _segment_return(true_rewards_left, self.discount)
        right = _segment_return(true_rewards_right, self.discount)
        if math.isinf(self.rationality):
            if abs(left - right) <= _TIE * max(abs(left), abs(right)):
                return Choice.EQUAL
            prefers_left = left > right
        else:
            prefers_left = bool(rng.random() < self._prob_left(left - right, scale))
        if self.mistake_share and rng.random() < self.mistake_share:
            prefers_left = not prefers_left
        return Choice.LEFT if prefers_left else Choice.RIGHT

    def _prob_left(self, difference: float, scale: TeacherScale) -> float:
        """Return sigmoid(beta * difference); half for a scale without any spread."""
        if scale.difference_sd == 0.0:
            return 0.5
        logit = self.rationality * difference / scale.difference_sd
        return 0.5 * (1.0 + math.tanh(0.5 * logit))


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a teacher said, and which member said it."""

    choice: Choice
    member_name: str


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A synthetic crowd of one or more members."""

    members: tuple[TeacherMember, ...]

    def answer(
        self,
        true_rewards_left: Rewards,
        true_rewards_right: Rewards,
        scale: TeacherScale,
        rng: np.random.Generator,
    ) -> Answer:
        """Let one member, drawn at random, answer one query.

        Args:
            true_rewards_left: the environment's reward of each step of the left segment, (L,).
            true_rewards_right: the same for the right segment, (L,).
            scale: of a random policy's segments of the same length.
            rng: draws the member and its faults.

        Raises:
            ShapeError: the segments differ in length, or a reward is not finite.
        """
        check_shape("true_rewards_left", true_rewards_left, (None,))
        check_shape("true_rewards_right", true_rewards_right, true_rewards_left.shape)
        check_finite("true_rewards_left", true_rewards_left)
        check_finite("true_rewards_right", true_rewards_right)
        member = self.members[int(rng.integers(len(self.members)))]
        choice = member.choose(true_rewards_left, true_rewards_right, scale, rng)
        return Answer(choice=choice, member_name=member.name)


@dataclasses.dataclass(frozen=True)
class _Fault:
    """A word of the teacher language."""

    field: str | None
    """Field of ``TeacherMember`` that it sets; None for the perfect teacher."""
    default: float = 0.0
    takes_number: bool = False
    is_allowed: Callable[[float], bool] = lambda value: True
    range: str = ""


_FAULTS = {
    "oracle": _Fault(None),
    "random": _Fault("rationality", 0.0),
    "flipped": _Fault("mistake_share", 1.0),
    "stochastic": _Fault("rationality", 1.0, True, lambda beta: beta >= 0.0, "from 0 on"),
    "mistake": _Fault("mistake_share", 0.1, True, lambda share: 0.0 <= share <= 1.0, "from 0 to 1"),
    "myopic": _Fault("discount", 0.9, True, lambda gamma: 0.0 < gamma <= 1.0, "above 0, up to 1"),
    "skip": _Fault("skip_share", 0.1, True, lambda share: share >= 0.0, "from 0 on"),
    "equal": _Fault("equal_share", 0.1, True, lambda share: share >= 0.0, "from 0 on"),
}
TEACHER_WORDS = tuple(
    f"{word}:{fault.default:g}" if fault.takes_number else word for word, fault in _FAULTS.items()
)
"""The words of a teacher description, as examples."""


def parse_teacher(spec: str) -> Teacher:
    """Return the teacher that a description such as ``oracle`` or ``mistake:0.1+myopic:0.9`` stands for.

    Words joined with ``+`` are the members of a mixed crowd, which answer equally often. A member is
    named after its word; the second of the same kind is ``oracle-2``.

    Raises:
        FeedbackError: a word is unknown, or its number cannot be used.
    """
    members: list[TeacherMember] = []
    words = [part.strip() for part in spec.split("+")]
    for index, word in enumerate(words):
        earlier = words[:index].count(word)
        members.append(_parse_member(word, spec, name=f"{word}-{earlier + 1}" if earlier else word))
    return Teacher(tuple(members))


def _parse_member(word: str, spec: str, *, name: str) -> TeacherMember:
    kind, colon, number = word.partition(":")
    if kind not in _FAULTS:
        raise FeedbackError(
            f"teacher {spec!r}: there is no {word!r}; allowed are {', '.join(TEACHER_WORDS)}, "
            "or several of them joined with '+'."
        )
    fault = _FAULTS[kind]
    if colon and not fault.takes_number:
        raise FeedbackError(f"teacher {spec!r}: {kind!r} takes no number; write just {kind!r}.")
    try:
        value = float(number) if colon else fault.default
    except ValueError:
        value = math.nan
    if math.isnan(value) or not fault.is_allowed(value):
        raise FeedbackError(f"teacher {spec!r}: {number!r} is not a number {fault.range} for {kind!r}.")
    changes: dict[str, Any] = {} if fault.field is None else {fault.field: value}
    return dataclasses.replace(TeacherMember(name=name), **changes)


def _segment_return(true_rewards: Rewards, discount: float = 1.0) -> float:
    """Return sum_t discount^(L-1-t) r_t in double precision."""
    weights: Float64 = discount ** np.arange(len(true_rewards) - 1, -1, -1, dtype=np.float64)
    return float(true_rewards.astype(np.float64) @ weights)
