"""Answers as people and teachers give them, and the comparisons that the reward model learns from."""

import dataclasses
import enum

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.types.experience import Bool, Float32, Int64


@enum.unique
class Choice(enum.Enum):
    """An answer to a query; the value is what is stored and sent."""

    LEFT = "left"
    RIGHT = "right"
    EQUAL = "equal"
    SKIP = "skip"
    """Cannot tell: says nothing about the order, but is kept."""
    UNDO = "undo"
    """Takes an earlier answer back."""


@enum.unique
class QueryKind(enum.Enum):
    """Why a query was asked."""

    INITIAL = "initial"
    """Before any reward model: random pairs of diverse behaviour."""
    ACTIVE = "active"
    """Chosen because the ensemble disagrees."""
    AUDIT = "audit"
    """Random near-on-policy pair, scored before it is trained on."""
    CONTEST = "contest"
    """Random segments of the newest policy and of the best one stored: which of the two goes on?"""
    PICKED = "picked"
    """Moments that somebody saw in recordings and wants to have compared."""
    REPEAT = "repeat"
    """A pair that the same person answered a while ago, sides changed: do they answer alike?"""
    GOLD = "gold"
    """A pair whose right answer a researcher has marked: is it found?"""
    WIN_RATE = "win_rate"
    """Two saved policies from the same start: do people prefer the newer one?"""


CONTROLS = (QueryKind.REPEAT, QueryKind.GOLD)
"""Asked to learn about the person, not about the behaviour."""
NEVER_LEARNED = (QueryKind.GOLD, QueryKind.WIN_RATE)
"""Asked to measure with: no reward learns from the answers."""


@enum.unique
class ChangeKind(enum.Enum):
    """What a researcher did to answers."""

    VOID = "void"
    """Set aside: kept, and not learned from."""
    RESTORE = "restore"
    """An earlier act taken back."""
    ANSWER = "answer"
    """Answered anew."""
    IMPORT = "import"
    """Read from a file."""


@enum.unique
class Strength(enum.IntEnum):
    """How clearly a comparison was decided; the value is what the arrays hold."""

    UNSAID = 0
    """The annotator was not asked, or did not say."""
    SLIGHT = 1
    CLEAR = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rankings:
    """G answers that put several segments in order; a best-of-k names the first place only."""

    order: Int64
    """(G, K), segment indices, best first; -1 fills the places that a shorter ranking does not have. The
    segments behind the last ranked place are in no order."""
    num_ranked: Int64
    """(G,), places whose order was given, from 1 (best of k) to one less than the segments shown (all)."""
    annotator: Int64
    """(G,), index of who answered."""

    def __post_init__(self) -> None:
        """Check lengths and places."""
        check_shape("Rankings.order", self.order, (None, None))
        check_shape("Rankings.num_ranked", self.num_ranked, (len(self.order),))
        check_shape("Rankings.annotator", self.annotator, (len(self.order),))
        sizes = (self.order >= 0).sum(axis=1)
        if (np.diff((self.order >= 0).astype(np.int8), axis=1) > 0).any():
            raise ShapeError("Rankings.order: -1 may only follow the segments of a ranking.")
        if ((self.num_ranked < 1) | (self.num_ranked >= sizes)).any():
            raise ShapeError(
                f"Rankings.num_ranked goes from {self.num_ranked.min()} to {self.num_ranked.max()}; it must "
                "be at least 1 and less than the number of segments in that ranking."
            )

    def __len__(self) -> int:
        """Return G, the number of rankings."""
        return len(self.order)


def no_rankings() -> Rankings:
    """Return an empty set of rankings."""
    empty = np.empty(0, np.int64)
    return Rankings(order=np.empty((0, 2), np.int64), num_ranked=empty, annotator=empty)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreferenceData:
    """Answers over a pool of segments, as arrays: comparisons of two, then rankings of several.

    S segments of L steps with F features each, Q comparisons, G rankings. SKIP answers carry no order and
    are not in it.
    """

    features: Float32
    """(S, L, F), raw reward-model inputs per step."""
    first: Int64
    """(Q,), index of the segment shown left."""
    second: Int64
    """(Q,), index of the segment shown right."""
    prob_first: Float32
    """(Q,), 1 if the first is preferred, 0 if the second is, 0.5 for an EQUAL answer."""
    annotator: Int64
    """(Q,), index of who answered."""
    strength: Int64 = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))
    """(Q,), a ``Strength``; all UNSAID if left out. An EQUAL answer has none."""
    rankings: Rankings = dataclasses.field(default_factory=no_rankings)
    weight: Float32 = dataclasses.field(default_factory=lambda: np.empty(0, np.float32))
    """(Q + G,), above 0: what each answer counts; left out, all count 1, see ``weight_of``. What is to count
    nothing is not in the data."""
    num_implied: int = 0
    """How many comparisons, the last ones, nobody was asked: they follow from demonstrations. The reward
    learns from them, but no accuracy counts them."""

    def __post_init__(self) -> None:
        """Check lengths, indices and the range of the targets."""
        if not len(self.strength):
            object.__setattr__(self, "strength", np.full(len(self.first), Strength.UNSAID, np.int64))
        check_shape("PreferenceData.weight", self.weight_of, (len(self),))
        if not (self.weight > 0).all():
            raise ShapeError("PreferenceData.weight must be above 0; leave out answers that count nothing.")
        if not 0 <= self.num_implied <= len(self.first):
            raise ShapeError(
                f"PreferenceData.num_implied is {self.num_implied} of {len(self.first)} comparisons."
            )
        check_shape("PreferenceData.features", self.features, (None, None, None))
        for name in ("second", "prob_first", "annotator", "strength"):
            check_shape(f"PreferenceData.{name}", getattr(self, name), (len(self.first),))
        for name, indices in (
            ("first", self.first),
            ("second", self.second),
            ("rankings", self.rankings.order[self.rankings.order >= 0]),
        ):
            if len(indices) and not 0 <= indices.min() <= indices.max() < len(self.features):
                raise ShapeError(
                    f"PreferenceData.{name}: an index is outside the {len(self.features)} segments."
                )
        if not np.isin(self.prob_first, (0.0, 0.5, 1.0)).all():
            raise ShapeError("PreferenceData.prob_first must be 0, 0.5 or 1.")
        if not np.isin(self.strength, tuple(Strength)).all():
            raise ShapeError(f"PreferenceData.strength must be one of {[int(s) for s in Strength]}.")

    def __len__(self) -> int:
        """Return Q + G, the number of answers."""
        return len(self.first) + len(self.rankings)

    @property
    def is_tie(self) -> Bool:
        """(Q,), which comparisons came out EQUAL."""
        is_tie: Bool = self.prob_first == 0.5
        return is_tie

    @property
    def is_asked(self) -> Bool:
        """(Q,), which comparisons somebody answered."""
        is_asked: Bool = np.arange(len(self.first)) < len(self.first) - self.num_implied
        return is_asked

    @property
    def annotator_of(self) -> Int64:
        """(Q + G,), who gave each answer."""
        return np.concatenate([self.annotator, self.rankings.annotator])

    @property
    def weight_of(self) -> Float32:
        """(Q + G,), what each answer counts."""
        return self.weight if len(self.weight) else np.ones(len(self), np.float32)

    @property
    def num_annotators(self) -> int:
        """How many indices of annotators there are."""
        return int(self.annotator_of.max(initial=-1)) + 1
