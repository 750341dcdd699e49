"""The policy that a run started from, to which the one that learns is held for a while."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.policy.config import PPOConfig
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace


class StartingPolicy:
    """A frozen policy with the scale of observations that it had: another scale would make it another policy.

    Args:
        arrays: of the policy, from ``PolicySnapshot.to_arrays``.
        since: share of the training that was done when it was the one that learns.
        action_space: kind and size of the actions.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], since: float, action_space: ActionSpace) -> None:
        self._arrays, self._since = arrays, since
        self._policy = PolicySnapshot.from_arrays(arrays, action_space)
        self.log_std: Float32 | None = arrays.get("log_std")

    @classmethod
    def from_state(cls, state: dict[str, Any], action_space: ActionSpace) -> "StartingPolicy":
        """Rebuild it from ``state_dict``."""
        arrays = {name: value for name, value in state.items() if name != "since"}
        return cls(arrays, float(state["since"]), action_space)

    def weight(self, config: PPOConfig, progress: float) -> float:
        """Return the weight of the divergence once ``progress`` of the training is done."""
        left = 1.0 - (progress - self._since) / config.reference_share
        return config.reference_kl * max(0.0, left)

    def outputs(self, observations: Float32) -> Float32:
        """Return means, or log-probabilities of all discrete actions, (B, A), for raw observations (B, D)."""
        outputs = self._policy.outputs(observations)
        if self.log_std is None:
            outputs -= outputs.max(axis=1, keepdims=True)
            outputs -= np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        return outputs

    def state_dict(self) -> dict[str, Any]:
        """Return what ``from_state`` rebuilds it from; arrays are not copied, as they never change."""
        return {"since": self._since, **self._arrays}
