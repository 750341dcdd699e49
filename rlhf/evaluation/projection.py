"""Many numbers per segment -> a place on a plane, so that what looks alike lies together.

Principal components, and nothing that has to be trained or drawn at random: each direction is a sum of
columns, so it can be said in words, and a segment that comes later gets its place without moving the others.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhf.checks import check_shape
from rlhf.errors import ShapeError
from rlhf.types.experience import Float32

_CLIP = 5.0
"""Bound on a standardised column: one wild segment must not squeeze all others into a corner."""
_SMALLEST_SD = 1e-6
_WORDS = 2
"""Columns that name a direction, at most."""
_LEAST_LOADING = 0.6
"""A further column names a direction if it counts for this share of the first one at least."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Projection:
    """place = clip((row - mean) / sd, -5, 5) @ axes; rows (S, D) -> places (S, 2)."""

    mean: Float32
    """(D,)."""
    sd: Float32
    """(D,), above 0; infinite for a column that was constant."""
    axes: Float32
    """(D, 2), orthonormal columns; the entry of largest size in each is positive."""
    explained: Float32
    """(2,), share of the standardised variance that lies along each direction."""

    def standardised(self, rows: Float32) -> Float32:
        """Return rows (S, D) in standard deviations of the fitted ones, bounded."""
        check_shape("rows", rows, (None, len(self.mean)))
        bounded: Float32 = np.clip((rows - self.mean) / self.sd, -_CLIP, _CLIP).astype(np.float32)
        return bounded

    def __call__(self, rows: Float32) -> Float32:
        """Return the places (S, 2) of rows (S, D)."""
        places: Float32 = self.standardised(rows) @ self.axes
        return places


def fit_projection(rows: Float32) -> Projection:
    """Return the projection onto the two directions in which rows differ most.

    Args:
        rows: (S, D), in raw units, S >= 2 and D >= 2.

    Raises:
        ShapeError: there are too few rows or columns to span a plane.
    """
    check_shape("rows", rows, (None, None))
    if min(rows.shape) < 2:
        raise ShapeError(f"rows have the shape {rows.shape}; a plane takes two rows and columns at least.")
    wide = rows.astype(np.float64)
    mean, sd = wide.mean(axis=0), wide.std(axis=0)
    sd[sd < _SMALLEST_SD] = np.inf
    standardised = np.clip((wide - mean) / sd, -_CLIP, _CLIP)
    standardised -= standardised.mean(axis=0)
    _, sizes, directions = np.linalg.svd(standardised, full_matrices=False)
    axes = directions[:2].T
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # else the map could come out mirrored
    total = max(float((sizes**2).sum()), _SMALLEST_SD)
    return Projection(
        mean=mean.astype(np.float32),
        sd=sd.astype(np.float32),
        axes=axes.astype(np.float32),
        explained=(sizes[:2] ** 2 / total).astype(np.float32),
    )


def name_axes(projection: Projection, names: Sequence[str]) -> tuple[str, str]:
    """Return what grows along each direction, in words: the columns that count most.

    Args:
        projection: of D columns.
        names: of the columns, D.
    """
    return _name(projection.axes[:, 0], names), _name(projection.axes[:, 1], names)


def _name(axis: Float32, names: Sequence[str]) -> str:
    order = np.argsort(-np.abs(axis), kind="stable")[:_WORDS].tolist()
    said = [index for index in order if abs(axis[index]) >= _LEAST_LOADING * abs(axis[order[0]])]
    return ", ".join(f"{'more' if axis[index] > 0 else 'less'} {names[index]}" for index in said)
