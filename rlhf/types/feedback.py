"""Answers as people and teachers give them, and the comparisons that the reward model learns from."""

import dataclasses
import enum

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.types.experience import Float32, Int64


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreferenceData:
    """Comparisons over a pool of segments, as arrays. SKIP answers are not in it.

    S segments of L steps with F features each, Q comparisons.
    """

    features: Float32
    """(S, L, F), raw reward-model inputs per step."""
    first: Int64
    """(Q,), index of the segment shown left."""
    second: Int64
    """(Q,), index of the segment shown right."""
    prob_first: Float32
    """(Q,), target P(first preferred) in [0, 1]; an EQUAL answer is 0.5."""
    annotator: Int64
    """(Q,), index of who answered."""

    def __post_init__(self) -> None:
        """Check lengths, indices and the range of the targets."""
        check_shape("PreferenceData.features", self.features, (None, None, None))
        for name in ("second", "prob_first", "annotator"):
            check_shape(f"PreferenceData.{name}", getattr(self, name), (len(self.first),))
        if len(self.first) and max(self.first.max(), self.second.max()) >= len(self.features):
            raise ShapeError(f"PreferenceData: an index is outside the {len(self.features)} segments.")
        if len(self.first) and not ((self.prob_first >= 0) & (self.prob_first <= 1)).all():
            raise ShapeError("PreferenceData.prob_first must lie in [0, 1].")

    def __len__(self) -> int:
        """Return Q, the number of comparisons."""
        return len(self.first)
