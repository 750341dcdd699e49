"""What a reward version makes of the answers that it learned from."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.types.experience import Float32, Int64

_PREFIX = "answers."


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerViews:
    """What a reward makes of each of Q comparisons."""

    answer: Int64
    """(Q,), numbers of the answers: their ids in the store, or their places in a fit."""
    lead: Float32
    """(Q,), return of the clip shown left less that of the other one, in logits."""
    unseen: Float32
    """(Q,), probability that the left one is preferred, a tie counting half, by an ordinary annotator and a
    reward that did not learn from this answer."""
    against: Float32
    """(Q,), how far such a reward is from what was answered, in logits; 0 where they agree."""
    influence: Float32
    """(Q,), how far the reward moves without this answer: root mean square change of the differences of all
    compared pairs as a share of their own root mean square."""

    def __post_init__(self) -> None:
        """Check the lengths."""
        for field in dataclasses.fields(self):
            check_shape(f"AnswerViews.{field.name}", getattr(self, field.name), (len(self.answer),))

    def __len__(self) -> int:
        """Return Q."""
        return len(self.answer)

    def called(self, ids: Sequence[int]) -> "AnswerViews":
        """Return the first ``len(ids)`` comparisons, under these numbers."""
        kept = {field.name: getattr(self, field.name)[: len(ids)] for field in dataclasses.fields(self)}
        return AnswerViews(**kept | {"answer": np.array(ids, np.int64)})

    def at(self, place: int) -> "AnswerViews":
        """Return one comparison alone."""
        only = slice(place, place + 1)
        return AnswerViews(
            **{field.name: getattr(self, field.name)[only] for field in dataclasses.fields(self)}
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays to be stored beside those of the reward model; inverse of ``from_arrays``."""
        return {_PREFIX + field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "AnswerViews | None":
        """Return what was stored with a reward version; None for one of an earlier program."""
        names = [field.name for field in dataclasses.fields(cls)]
        if not all(_PREFIX + name in arrays for name in names):
            return None
        return cls(**{name: arrays[_PREFIX + name] for name in names})
