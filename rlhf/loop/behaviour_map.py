"""A map of behaviour as arrays: one point per stretch of behaviour, with all that is shown of it.

A point is a whole stored segment, or a window of one that holds an episode. Needs no torch.
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.errors import StorageError
from rlhf.evaluation.projection import Projection
from rlhf.storage.blobs import Blobs
from rlhf.types.experience import Float32

FORMAT_VERSION = 1
_PROJECTION = "projection."
_UNITS = ("mean", "sd", "axes", "explained")


@enum.unique
class PointSource(enum.IntEnum):
    """Where a point's behaviour comes from; the value is what the arrays hold."""

    QUERY = 0
    """A segment of a question."""
    REPLAY = 1
    """A window of a saved policy's recorded episode."""
    DEMONSTRATION = 2
    """A window of an episode that somebody showed."""


@enum.unique
class Verdict(enum.IntEnum):
    """What people said of a point's segment beside others; the value is what the arrays hold."""

    UNKNOWN = 0
    """Nobody has answered, or nobody was asked."""
    BETTER = 1
    """Preferred more often than not."""
    WORSE = 2
    EQUAL = 3
    """As often as not."""
    SKIPPED = 4
    """Nobody could tell."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What holds for all points of a map."""

    reward_version: int
    """That gave the returns; 0 where there was none yet."""
    length: int
    """Steps of each point."""
    frame_skip: int
    """Steps from one frame of a clip to the next."""
    num_fitted: int
    """How many segments the run had when the projection was fitted."""
    axis_names: tuple[str, str]
    """What grows to the right and upwards."""
    answer_model: dict[str, Any]
    """How returns become answers, as ``AnswerModel.to_dict``; empty without a reward."""
    shows: dict[str, int]
    """What the run had when the map was begun, from ``maps.what_there_is``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BehaviourMap:
    """P points, M ensemble members."""

    facts: Facts
    projection: Projection
    segment_id: npt.NDArray[np.bytes_]
    """(P,), ASCII."""
    start: npt.NDArray[np.int32]
    """(P,), first step within the segment."""
    source: npt.NDArray[np.uint8]
    """(P,), a ``PointSource``."""
    policy_version: npt.NDArray[np.int32]
    """(P,), of whoever acted; -1 where no policy did."""
    place: Float32
    """(P, 2), on the map."""
    returns: Float32
    """(M, P), each member's return in logits; M is 0 without a reward."""
    reward: Float32
    """(P,), mean predicted reward per step, in standard deviations of recent behaviour; 0 where M is 0."""
    spread: Float32
    """(P,), standard deviation of the members' predictions."""
    verdict: npt.NDArray[np.uint8]
    """(P,), a ``Verdict``."""

    def __post_init__(self) -> None:
        """Check that the columns belong together."""
        for name in ("start", "source", "policy_version", "reward", "spread", "verdict"):
            check_shape(f"BehaviourMap.{name}", getattr(self, name), (len(self),))
        check_shape("BehaviourMap.place", self.place, (len(self), 2))
        check_shape("BehaviourMap.returns", self.returns, (None, len(self)))

    def __len__(self) -> int:
        """Return P."""
        return len(self.segment_id)

    def joined(self, others: Sequence["BehaviourMap"]) -> "BehaviourMap":
        """Return a map with the points of others, of the same facts and projection, behind these."""
        parts = [self, *others]
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts], axis=-1 if name == "returns" else 0)
            for name in _COLUMNS
        }
        return dataclasses.replace(self, **columns)


_COLUMNS = tuple(
    field.name for field in dataclasses.fields(BehaviourMap) if field.name not in ("facts", "projection")
)


def write_map(blobs: Blobs, drawn: BehaviourMap) -> str:
    """Store a map and return the blob's name."""
    arrays: dict[str, Any] = {name: getattr(drawn, name) for name in _COLUMNS}
    arrays |= {_PROJECTION + name: getattr(drawn.projection, name) for name in _UNITS}
    details = dataclasses.asdict(drawn.facts) | {"format_version": FORMAT_VERSION}
    return blobs.write_arrays(arrays, details, compress=False)  # it is written often and soon forgotten


def read_map(blobs: Blobs, name: str) -> BehaviourMap:
    """Return the map of ``write_map``.

    Raises:
        NotFoundError: there is no such blob.
        StorageError: it is damaged, or no map of a known format.
    """
    arrays, details = blobs.read_arrays(name)
    if details.pop("format_version", None) != FORMAT_VERSION:
        raise StorageError(f"blob {name} is no map of behaviour of format {FORMAT_VERSION}.")
    details["axis_names"] = tuple(details["axis_names"])
    units = {unit: arrays.pop(_PROJECTION + unit) for unit in _UNITS}
    return BehaviourMap(facts=Facts(**details), projection=Projection(**units), **arrays)
