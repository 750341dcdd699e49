"""Scales on both sides of the reward networks, frozen with each version.

A scale that moved with the policy would make progress look flat and the critic chase it, so all of them
are numbers computed once, when a version is fitted.
"""

import dataclasses

import numpy as np

from rlhf.types.experience import Float32

INPUT_CLIP = 10.0
"""Bound on the absolute normalised feature, in standard deviations."""
_SMALLEST_SD = 1e-6
"""What varies less is constant."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputNormaliser:
    """Centres and scales raw features: clip((x - mean) / sd, -10, 10).

    A column that did not vary in the compared segments has an infinite sd, so it is 0 whatever it holds
    later: nothing was learned of it, and the random initial weights behind it must not become a reward.
    """

    mean: Float32
    """(F,)."""
    sd: Float32
    """(F,), above 0; infinite for a column that was constant."""

    def __call__(self, features: Float32) -> Float32:
        """Return normalised features of the same shape (..., F); a new array."""
        normalised = (features - self.mean) / self.sd
        return np.clip(normalised, -INPUT_CLIP, INPUT_CLIP, out=normalised)

    def completed_by(self, newer: "InputNormaliser") -> "InputNormaliser":
        """Return this normaliser with the columns that were constant so far as ``newer`` has them."""
        is_new = np.isinf(self.sd)
        return InputNormaliser(
            mean=np.where(is_new, newer.mean, self.mean), sd=np.where(is_new, newer.sd, self.sd)
        )


def input_normaliser(compared: Float32, *others: Float32) -> InputNormaliser:
    """Return the normaliser of all given features (..., F) taken together.

    Args:
        compared: features that answers speak of; a column that is constant here is left out, however much
            it varies elsewhere.
        others: further features that the scale is to suit.
    """
    blocks = [block.reshape(-1, block.shape[-1]).astype(np.float64) for block in (compared, *others)]
    rows = np.concatenate(blocks)
    sd = rows.std(axis=0)
    sd[blocks[0].std(axis=0) < _SMALLEST_SD] = np.inf
    return InputNormaliser(mean=rows.mean(axis=0).astype(np.float32), sd=sd.astype(np.float32))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputNormaliser:
    """Gives every member mean 0 and standard deviation 1 per step over the reference transitions."""

    mean: Float32
    """(M,)."""
    sd: Float32
    """(M,), above 0."""

    def __call__(self, outputs: Float32) -> Float32:
        """Return normalised member outputs of the same shape (M, B)."""
        normalised: Float32 = (outputs - self.mean[:, None]) / self.sd[:, None]
        return normalised


def output_normaliser(outputs: Float32) -> OutputNormaliser:
    """Return the normaliser of the members' outputs (M, B) on the reference transitions.

    A member that says the same everywhere keeps its scale, so that rounding is not blown up to a reward.
    """
    sd = outputs.std(axis=1, dtype=np.float64)
    sd[sd < _SMALLEST_SD] = 1.0
    return OutputNormaliser(
        mean=outputs.mean(axis=1, dtype=np.float64).astype(np.float32), sd=sd.astype(np.float32)
    )


def combine_members(
    normalised: Float32, *, pessimism: float, clip: float | Float32
) -> tuple[Float32, Float32]:
    """Return (reward, spread), each (B,), from normalised member outputs (M, B).

    reward = clip(mean - pessimism * sd, -clip, clip),  spread = sd        over the M members
    """
    spread: Float32 = normalised.std(axis=0)
    reward: Float32 = np.clip(normalised.mean(axis=0) - pessimism * spread, -clip, clip)
    return reward, spread
