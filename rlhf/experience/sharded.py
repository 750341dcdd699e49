"""N environments divided among processes: each steps its share at the same time.

Environments do not know of each other, so the results are those of one process, bit for bit.
"""

import itertools
from typing import Any

import numpy as np

from rlhf.experience.backends import has_vector_dynamics, make_batched_env
from rlhf.parallel import Arrays, ArraySpec, Companion
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
        self._ranges = [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
        self._here = make_batched_env(task, bounds[1])
        self.num_envs = num_envs
        self.observation_dim, self.action_space = self._here.observation_dim, self._here.action_space
        states = self._here.sim_states()
        self._state_size = None if states is None else states.shape[1]
        self._others = [self._companion(task, part.stop - part.start) for part in self._ranges[1:]]

    def reset(self, indices: Int64, seeds: Int64) -> Float32:
        """Reset the environments at ``indices`` with one seed each; return their observations (K, D)."""
        observations = np.empty((len(indices), self.observation_dim), np.float32)
        owned = [(indices >= part.start) & (indices < part.stop) for part in self._ranges]
        asked = [k for k in range(1, len(owned)) if owned[k].any()]
        for k in asked:
            other, mine = self._others[k - 1], owned[k]
            within = indices[mine] - self._ranges[k].start
            other.arrays["resetting"][:] = False
            other.arrays["resetting"][within] = True
            other.arrays["seeds"][within] = seeds[mine]
            other.start("reset")
        if owned[0].any():
            observations[owned[0]] = self._here.reset(indices[owned[0]], seeds[owned[0]])
        for k in asked:
            other, mine = self._others[k - 1], owned[k]
            other.finish()
            observations[mine] = other.arrays["observations"][indices[mine] - self._ranges[k].start]
        return observations

    def step(self, actions: Actions) -> tuple[Float32, Float64, Bool, Bool]:
        """Step all environments; return (observations, true rewards, terminated, truncated)."""
        for other, part in zip(self._others, self._ranges[1:], strict=True):
            other.arrays["actions"][:] = actions[part]
            other.start("step")
        parts = [self._here.step(actions[self._ranges[0]])]
        for other in self._others:
            other.finish()
            shared = other.arrays
            parts.append(
                (shared["observations"], shared["rewards"], shared["terminated"], shared["truncated"])
            )
        observations, rewards, terminated, truncated = (np.concatenate(x) for x in zip(*parts, strict=True))
        return observations, rewards, terminated, truncated

    def sim_states(self) -> Float64 | None:
        """Return a copy of the simulator states (N, S), or None."""
        if self._state_size is None:
            return None
        return np.concatenate(
            [self._here.sim_states(), *(other.arrays["sim_states"] for other in self._others)]
        )

    def restore(self, index: int, *, sim_state: Float64 | None, reset_seed: int, actions: Actions) -> None:
        """Put one environment where it stood after ``actions`` since ``reset_seed``."""
        shard = next(i for i, part in enumerate(self._ranges) if index < part.stop)
        if shard == 0:
            self._here.restore(index, sim_state=sim_state, reset_seed=reset_seed, actions=actions)
        else:
            within = index - self._ranges[shard].start
            self._others[shard - 1].call("restore", within, sim_state, reset_seed, actions)

    def close(self) -> None:
        """Release the simulators and end the processes."""
        self._here.close()
        for other in self._others:
            other.close()

    def _companion(self, task: Task, num_envs: int) -> Companion:
        continuous = self.action_space.kind == "continuous"
        actions = (num_envs, self.action_space.size) if continuous else (num_envs,)
        return Companion(
            _Shard,
            (task, num_envs),
            arrays={
                "actions": ArraySpec(actions, "float32" if continuous else "int64"),
                "observations": ArraySpec((num_envs, self.observation_dim), "float32"),
                "rewards": ArraySpec((num_envs,), "float64"),
                "terminated": ArraySpec((num_envs,), "bool"),
                "truncated": ArraySpec((num_envs,), "bool"),
                "sim_states": ArraySpec((num_envs, self._state_size or 0), "float64"),
                "resetting": ArraySpec((num_envs,), "bool"),
                "seeds": ArraySpec((num_envs,), "int64"),
            },
            quick=["step", "reset"],
        )


class _Shard:
    """The environments of one companion."""

    def __init__(self, task: Task, num_envs: int, shared: Arrays) -> None:
        self._env = make_batched_env(task, num_envs)
        self._shared = shared

    def step(self) -> None:
        shared = self._shared
        (
            shared["observations"][:],
            shared["rewards"][:],
            shared["terminated"][:],
            shared["truncated"][:],
        ) = self._env.step(shared["actions"])
        self._share_states()

    def reset(self) -> None:
        indices = np.flatnonzero(self._shared["resetting"])
        self._shared["observations"][indices] = self._env.reset(indices, self._shared["seeds"][indices])
        self._share_states()

    def restore(self, *arguments: Any) -> None:
        index, sim_state, reset_seed, actions = arguments
        self._env.restore(index, sim_state=sim_state, reset_seed=reset_seed, actions=actions)
        self._share_states()

    def _share_states(self) -> None:
        states = self._env.sim_states()
        if states is not None:
            self._shared["sim_states"][:] = states
