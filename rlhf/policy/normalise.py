"""Running scales of observations (actor and critic inputs) and of returns (critic output). No torch.

The observation statistics belong to the policy alone: reward models see raw observations. They stand still
while a rollout is collected and while PPO learns from it, so that the log-probabilities stored in the
rollout and those recomputed during the update belong to the same inputs; they move after the update.
"""

from typing import Any

import numpy as np

from rlhf.types.experience import Float32, Float64

_VARIANCE_FLOOR = 1e-8
_RETURN_SD_FLOOR = 1e-4


def normalise(observations: Float32, shift: Float32, scale: Float32, clip: float) -> Float32:
    """Return clip((observations - shift) * scale, -clip, clip), float32 (..., D)."""
    normalised: Float32 = observations - shift
    normalised *= scale
    np.maximum(normalised, np.float32(-clip), out=normalised)
    np.minimum(normalised, np.float32(clip), out=normalised)
    return normalised


class ObservationNormaliser:
    """Mean and variance of every observation seen, merged batch by batch.

    ``shift`` and ``scale`` are float32 (D,) and change in place, so whoever holds them sees the update.
    The first rollout passes unchanged (mean 0, variance 1).

    Source: Chan, Golub and LeVeque 1979, the pairwise merging of sums of squares.
    """

    def __init__(self, observation_dim: int, clip: float) -> None:
        self.clip = clip
        self.shift: Float32 = np.zeros(observation_dim, np.float32)
        self.scale: Float32 = np.ones(observation_dim, np.float32)
        self._mean: Float64 = np.zeros(observation_dim)
        self._variance: Float64 = np.ones(observation_dim)
        self._count = 0

    def __call__(self, observations: Float32) -> Float32:
        """Return normalised observations, float32, same shape (..., D)."""
        return normalise(observations, self.shift, self.scale, self.clip)

    def update(self, observations: Float32) -> None:
        """Merge a batch of raw observations (..., D) into the statistics."""
        batch = observations.reshape(-1, len(self._mean)).astype(np.float64)
        total = self._count + len(batch)
        weight = len(batch) / total
        difference = batch.mean(axis=0) - self._mean
        self._variance = (
            (1.0 - weight) * self._variance
            + weight * batch.var(axis=0)
            + weight * (1.0 - weight) * difference**2
        )
        self._mean = self._mean + weight * difference
        self._count = total
        self._refresh()

    def state_dict(self) -> dict[str, Any]:
        """Return arrays and numbers that ``load_state_dict`` restores exactly."""
        return {"mean": self._mean.copy(), "variance": self._variance.copy(), "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the statistics."""
        self._mean, self._variance = state["mean"].copy(), state["variance"].copy()
        self._count = int(state["count"])
        self._refresh()

    def _refresh(self) -> None:
        if self._count:
            self.shift[:] = self._mean
            # A column that never moved (a constant sensor) stays at 0 instead of being blown up by 1 / sd.
            moved = self._variance > _VARIANCE_FLOOR
            self.scale[:] = np.where(moved, 1.0 / np.sqrt(np.maximum(self._variance, _VARIANCE_FLOOR)), 1.0)
        else:
            self.shift[:], self.scale[:] = 0.0, 1.0


class ReturnNormaliser:
    """Mean and standard deviation of returns, in whose units the critic predicts (PopArt).

    Early batches count equally; later ones with weight ``rate``, so that the scale follows an improving
    policy. Whenever the scale moves the critic's last layer is rewritten so that its unnormalised outputs
    stay what they were.

    Source: https://arxiv.org/abs/1602.07714. Differs: the first scale, and that of a new reward, are taken
    over as they are, since outputs that say nothing of the returns are not worth keeping.
    """

    def __init__(self, rate: float) -> None:
        self.mean = 0.0
        self.sd = 1.0
        self._square = 1.0
        self._rate = rate
        self._num_updates = 0

    def normalise(self, returns: Float32) -> Float32:
        """Return (returns - mean) / sd."""
        return ((returns - self.mean) / self.sd).astype(np.float32)

    def unnormalise(self, outputs: Float32) -> Float32:
        """Return outputs * sd + mean."""
        return (outputs * self.sd + self.mean).astype(np.float32)

    def update(self, returns: Float32, last_weight: Float32, last_bias: Float32) -> None:
        """Merge a batch of returns and, unless it is the first, rewrite the critic's last layer in place.

        Args:
            returns: unnormalised, any shape.
            last_weight: (H, 1).
            last_bias: (1,).
        """
        if self._num_updates == 0:
            self.restart(returns)
            return
        mean, sd = self.mean, self.sd
        self._merge(returns)
        last_weight *= np.float32(sd / self.sd)
        last_bias[:] = (sd * last_bias + mean - self.mean) / self.sd

    def restart(self, returns: Float32) -> None:
        """Forget the old scale and take that of ``returns``; the critic's normalised outputs stay."""
        self._num_updates = 0
        self._merge(returns)

    def _merge(self, returns: Float32) -> None:
        self._num_updates += 1
        rate = max(self._rate, 1.0 / self._num_updates)
        batch = returns.astype(np.float64)
        self.mean += rate * (float(batch.mean()) - self.mean)
        self._square += rate * (float((batch**2).mean()) - self._square)
        self.sd = max(float(np.sqrt(max(self._square - self.mean**2, 0.0))), _RETURN_SD_FLOOR)

    def state_dict(self) -> dict[str, Any]:
        """Return numbers that ``load_state_dict`` restores exactly."""
        return {"mean": self.mean, "sd": self.sd, "square": self._square, "num_updates": self._num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the scale; the last layer is restored with the critic's weights."""
        self.mean, self.sd, self._square = float(state["mean"]), float(state["sd"]), float(state["square"])
        self._num_updates = int(state["num_updates"])
