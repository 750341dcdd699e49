"""What the stages expect of each other, so that none of them imports another."""

from typing import Any, Protocol

from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import ActionSpace


class BatchedEnv(Protocol):
    """N copies of an environment stepped together. Knows nothing of horizons, autoreset or padding."""

    num_envs: int
    observation_dim: int
    action_space: ActionSpace

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all; return copies of (observations (N, D), true_reward (N,), terminated, truncated).

        ``truncated`` only where the environment itself cut the episode short.
        """

    def sim_states(self) -> Float64 | None:
        """Return a copy of the simulator states (N, S) of the current observations, or None."""

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Put one environment where it stood after ``actions`` since ``reset_seed``.

        Environments that can be put into a state use ``sim_state``; the others replay the actions.
        """

    def close(self) -> None:
        """Release the simulators."""


class RewardFunction(Protocol):
    """A learned (or any other) reward of single transitions."""

    def rewards(self, features: Float32) -> tuple[Float32, Float32]:
        """Return (mean, ensemble standard deviation), each (B,), for raw features (B, F)."""


class ActingPolicy(Protocol):
    """Something that acts."""

    version: int

    def act(self, observations: Float32, rng: Any, *, deterministic: bool = False) -> tuple[Actions, Float32]:
        """Return (sampled unclipped actions, log-probabilities (N,)) for raw observations (N, D)."""


class EnvFactory(Protocol):
    """Makes one Gymnasium environment of a task."""

    def __call__(self, *, render_mode: str | None = None) -> Any:
        """Return a new environment without a time limit."""
