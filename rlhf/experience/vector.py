"""One stepper over N environments: the only place that knows horizons, autoreset and the seeds of episodes.

When an episode ends its environment is reset in the same step. The absorbing state that fills the rest of the
horizon after an early termination is virtual: it costs no simulation, ``segments.cut`` adds it later.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_shape
from rlhf.errors import CheckpointError
from rlhf.experience.sharded import make_sharded_env
from rlhf.seeding import episode_seed
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.task import Task

State = dict[str, npt.NDArray[Any]]
"""Named arrays, ready for an npz file."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What one step of N environments led to."""

    applied_actions: Actions
    """float32 (N, A) in [-1, 1] or int64 (N,), as the environments saw them."""
    observations: Float32
    """(N, D), where the environments stand now, after any reset."""
    next_observations: Float32
    """(N, D), the state the actions led to, before any reset."""
    next_sim_states: Float64 | None
    """(N, S), simulator states of ``next_observations``, or None."""
    true_rewards: Float64
    """(N,), for teachers and evaluation only."""
    terminated: Bool
    """(N,): the environment ended the episode."""
    truncated: Bool
    """(N,): the horizon ended it (or the environment cut it short); never together with ``terminated``."""


class VectorStepper:
    """Steps N environments of a task through their episodes.

    Episode e of environment i starts from ``rlhf.seeding.episode_seed(seed, i, e)``, so what happens depends
    on the seed and the actions only.
    """

    def __init__(
        self, task: Task, num_envs: int, seed: int, *, stagger: bool = False, processes: int = 1
    ) -> None:
        """Reset all environments.

        Args:
            task: what to step.
            num_envs: N, at least 1.
            seed: of all episodes together.
            stagger: cut environment i's first episode at ``(i + 1) / N`` of the horizon, so that the
                environments are not all at the same time of their episodes ever after.
            processes: how many may share the work, this one included; the results are the same.
        """
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; at least one environment is needed.")
        self.task, self.num_envs, self.seed = task, num_envs, seed
        self.env = make_sharded_env(task, num_envs, processes)
        self.observation_dim, self.action_space = self.env.observation_dim, self.env.action_space
        self.elapsed: Int64 = np.zeros(num_envs, np.int64)
        """(N,), real steps since each environment's reset."""
        self.episode_indices: Int64 = np.zeros(num_envs, np.int64)
        """(N,), 0 for each environment's first episode."""
        self.limits: Int64 = np.full(num_envs, task.horizon, np.int64)
        """(N,), steps after which the current episodes are cut."""
        if stagger:
            self.limits = np.maximum(1, task.horizon * np.arange(1, num_envs + 1) // num_envs)
        everyone = np.arange(num_envs)
        self.reset_seeds: Int64 = self._seeds(everyone)
        """(N,), seeds of the current episodes' resets."""
        self.observations: Float32 = self.env.reset(everyone, self.reset_seeds)
        """(N, D), where the environments stand. Replaced, never written to."""
        self._everyone = everyone
        self._actions = self._empty_actions()

    @property
    def sim_states(self) -> Float64 | None:
        """Simulator states (N, S) of ``observations``, or None."""
        return self.env.sim_states()

    def step(self, actions: Actions) -> StepResult:
        """Step all environments and reset those whose episodes end.

        Args:
            actions: float32 (N, A), clipped to [-1, 1] here, or int64 (N,).
        """
        applied = actions
        if self.action_space.kind == "continuous":
            applied = np.minimum(np.maximum(actions, -1.0), 1.0).astype(np.float32, copy=False)
        self._actions[self._everyone, self.elapsed] = applied
        observations, true_rewards, terminated, cut_short = self.env.step(applied)
        next_sim_states = self.env.sim_states()
        self.elapsed = self.elapsed + 1
        truncated = ((self.elapsed >= self.limits) | cut_short) & ~terminated
        ended = np.flatnonzero(terminated | truncated)
        self.observations = self._reset(ended, observations) if ended.size else observations
        return StepResult(
            applied_actions=applied,
            observations=self.observations,
            next_observations=observations,
            next_sim_states=next_sim_states,
            true_rewards=true_rewards,
            terminated=terminated,
            truncated=truncated,
        )

    def state_dict(self) -> State:
        """Return everything needed to go on from here, with another stepper of the same task and size."""
        state: State = {
            "seed": np.array(self.seed, np.int64),
            "elapsed": self.elapsed.copy(),
            "episode_indices": self.episode_indices.copy(),
            "limits": self.limits.copy(),
            "reset_seeds": self.reset_seeds.copy(),
            "observations": self.observations.copy(),
            "actions": np.concatenate([self._actions[i, :n] for i, n in enumerate(self.elapsed)]),
        }
        sim_states = self.env.sim_states()
        return state if sim_states is None else {**state, "sim_states": sim_states}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue bit for bit from ``state_dict``; all but the classic environments replay their episodes.

        Raises:
            CheckpointError: the state is of another number of environments or another observation.
        """
        if state["observations"].shape != self.observations.shape:
            raise CheckpointError(
                f"the state holds observations {state['observations'].shape}, this stepper of "
                f"{self.task.name!r} has {self.observations.shape}; make it with the same task and number "
                "of environments."
            )
        self.seed = int(state["seed"])
        self.elapsed = state["elapsed"].astype(np.int64)
        self.episode_indices = state["episode_indices"].astype(np.int64)
        self.limits = state["limits"].astype(np.int64)
        self.reset_seeds = state["reset_seeds"].astype(np.int64)
        self.observations = state["observations"].astype(np.float32)
        sim_states = state.get("sim_states")
        check_shape("actions", state["actions"], (int(self.elapsed.sum()), *self._actions.shape[2:]))
        for i, actions in enumerate(np.split(state["actions"], np.cumsum(self.elapsed)[:-1])):
            self._actions[i, : len(actions)] = actions
            self.env.restore(
                i,
                sim_state=None if sim_states is None else sim_states[i],
                reset_seed=int(self.reset_seeds[i]),
                actions=actions,
            )

    def close(self) -> None:
        """Release the environments."""
        self.env.close()

    def _reset(self, ended: Int64, observations: Float32) -> Float32:
        self.episode_indices[ended] += 1
        self.elapsed[ended] = 0
        self.limits[ended] = self.task.horizon
        self.reset_seeds[ended] = self._seeds(ended)
        after = observations.copy()
        after[ended] = self.env.reset(ended, self.reset_seeds[ended])
        return after

    def _seeds(self, indices: Int64) -> Int64:
        seeds = [episode_seed(self.seed, int(i), int(self.episode_indices[i])) for i in indices]
        return np.array(seeds, np.int64)

    def _empty_actions(self) -> Actions:
        if self.action_space.kind == "discrete":
            return np.zeros((self.num_envs, self.task.horizon), np.int64)
        return np.zeros((self.num_envs, self.task.horizon, self.action_space.size), np.float32)
