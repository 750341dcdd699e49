"""One-line checks for arrays at public edges."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.errors import ShapeError


def check_shape(name: str, array: npt.NDArray[Any], expected: tuple[int | None, ...]) -> None:
    """Raise ``ShapeError`` unless ``array`` has the expected shape; ``None`` matches any length."""
    fits = array.ndim == len(expected) and all(
        want is None or have == want for have, want in zip(array.shape, expected, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in expected) + ")"
        raise ShapeError(f"{name} has shape {array.shape}; expected {wanted}.")


def check_finite(name: str, array: npt.NDArray[Any]) -> None:
    """Raise ``ShapeError`` if ``array`` holds a NaN or an infinity."""
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ShapeError(f"{name} holds a value that is not finite, first at index {where}.")
