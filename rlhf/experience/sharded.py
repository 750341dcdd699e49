"""N environments divided among processes: each steps its share at the same time.

Environments do not know of each other, so the results are those of one process, bit for bit.
"""

import itertools
from typing import Any

import numpy as np

from rlhf.experience.backends import has_vector_dynamics, make_batched_env
from rlhf.parallel import Arrays, ArraySpec, Companion, SharedArrays
from rlhf.types.experience import Actions, Bool, Float32, Float64, Int64
from rlhf.types.protocols import BatchedEnv
from rlhf.types.task import Task


def make_sharded_env(task: Task, num_envs: int, processes: int) -> BatchedEnv:
    """Return N environments of a task on up to ``processes`` processes, this one included.

    Tasks that are stepped by array operations stay here: dividing those gains nothing.
    """
    processes = min(processes, num_envs)
    if processes <= 1 or has_vector_dynamics(task):
        return make_batched_env(task, num_envs)
    return ShardedBatchedEnv(task, num_envs, processes)


class ShardedBatchedEnv:
    """A ``BatchedEnv`` whose first environments are in this process and the others beside it."""

    def __init__(self, task: Task, num_envs: int, processes: int) -> None:
        bounds = np.linspace(0, num_envs, processes + 1).round().astype(int).tolist()
        env = make_batched_env(task, bounds[1])
        self.num_envs = num_envs
        self.observation_dim, self.action_space = env.observation_dim, env.action_space
        states = env.sim_states()
        self._has_states = states is not None
        shared = SharedArrays(self._specs(0 if states is None else states.shape[1]))
        self._arrays = shared.views()
        self._here = _Shard(env, slice(0, bounds[1]), self._arrays)
        self._starts = bounds[1:-1]
        self._others = [
            Companion(_make_shard, (task, start, stop), shared=shared, quick=["step", "reset"])
            for start, stop in itertools.pairwise(bounds[1:])
        ]

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        arrays = self._arrays
        arrays["resetting"][:] = False
        arrays["resetting"][indices] = True
        arrays["seeds"][indices] = seeds
        owners = np.searchsorted(self._starts, indices, side="right")  # 0 is this process
        asked = [other for k, other in enumerate(self._others, start=1) if (owners == k).any()]
        for other in asked:
            other.start("reset")
        if (owners == 0).any():
            self._here.reset()
        for other in asked:
            other.finish()
        observations: Float32 = arrays["observations"][indices]
        return observations

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        arrays = self._arrays
        arrays["actions"][:] = actions
        for other in self._others:
            other.start("step")
        self._here.step()
        for other in self._others:
            other.finish()
        return (
            arrays["observations"].copy(),
            arrays["rewards"].copy(),
            arrays["terminated"].copy(),
            arrays["truncated"].copy(),
        )

    def sim_states(self) -> Float64 | None:
        """Return a copy of the simulator states (N, S), or None."""
        return self._arrays["sim_states"].copy() if self._has_states else None

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Put one environment where it stood after ``actions`` since ``reset_seed``."""
        owner = int(np.searchsorted(self._starts, index, side="right"))
        if owner == 0:
            self._here.restore(index, sim_state, reset_seed, actions)
        else:
            self._others[owner - 1].call("restore", index, sim_state, reset_seed, actions)

    def close(self) -> None:
        """Release the simulators and end the processes."""
        self._here.close()
        for other in self._others:
            other.close()

    def _specs(self, state_size: int) -> dict[str, ArraySpec]:
        count, continuous = self.num_envs, self.action_space.kind == "continuous"
        actions = (count, self.action_space.size) if continuous else (count,)
        return {
            "actions": ArraySpec(actions, "float32" if continuous else "int64"),
            "observations": ArraySpec((count, self.observation_dim), "float32"),
            "rewards": ArraySpec((count,), "float64"),
            "terminated": ArraySpec((count,), "bool"),
            "truncated": ArraySpec((count,), "bool"),
            "sim_states": ArraySpec((count, state_size), "float64"),
            "resetting": ArraySpec((count,), "bool"),
            "seeds": ArraySpec((count,), "int64"),
        }


class _Shard:
    """The environments of one process, which reads and writes its rows of the shared arrays."""

    def __init__(self, env: BatchedEnv, part: slice, arrays: Arrays) -> None:
        self._env, self._start = env, part.start
        self._rows = {name: array[part] for name, array in arrays.items()}

    def step(self) -> None:
        rows = self._rows
        observations, rewards, terminated, truncated = self._env.step(rows["actions"])
        rows["observations"][:], rows["rewards"][:] = observations, rewards
        rows["terminated"][:], rows["truncated"][:] = terminated, truncated
        self._share_states()

    def reset(self) -> None:
        indices = np.flatnonzero(self._rows["resetting"])
        self._rows["observations"][indices] = self._env.reset(indices, self._rows["seeds"][indices])
        self._share_states()

    def restore(self, index: int, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        within = index - self._start
        self._env.restore(within, sim_state=sim_state, reset_seed=reset_seed, actions=actions)
        self._share_states()

    def close(self) -> None:
        self._env.close()

    def _share_states(self) -> None:
        states = self._env.sim_states()
        if states is not None:
            self._rows["sim_states"][:] = states


def _make_shard(task: Task, start: int, stop: int, arrays: Any) -> _Shard:
    return _Shard(make_batched_env(task, stop - start), slice(start, stop), arrays)
