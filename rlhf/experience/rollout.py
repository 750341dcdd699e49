"""Letting a policy act: rollouts for learning, and whole episodes for segments and evaluation.

True rewards travel beside the episodes, never inside them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.experience.vector import State, StepResult, VectorStepper
from rlhf.seeding import generator
from rlhf.types.experience import Actions, Episode, Float64, Rollout
from rlhf.types.protocols import ActingPolicy
from rlhf.types.task import Task

MAX_EVALUATION_ENVS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collected:
    """What one call of ``Collector.collect`` gave."""

    rollout: Rollout
    """The steps, for the policy's update."""
    episodes: list[Episode]
    """Episodes that ended during the rollout, oldest first; they may have begun before it."""
    true_rewards: list[Float64]
    """One array (T,) per episode, in the same order. For teachers and evaluation only."""
    rollout_true_rewards: Float64
    """(T, N), of the rollout's steps. For reference runs on the true reward and evaluation only."""


class Collector:
    """Collects rollouts with a stepper, and the episodes that end on the way."""

    def __init__(self, stepper: VectorStepper) -> None:
        self.stepper = stepper
        self._running = _RunningEpisodes(stepper)

    def collect(self, policy: ActingPolicy, num_steps: int, rng: np.random.Generator) -> Collected:
        """Let ``policy`` act for ``num_steps`` steps in every environment.

        Args:
            policy: acts on raw observations (N, D).
            num_steps: T, at least 1.
            rng: for the policy's actions.
        """
        stepper = self.stepper
        shape = (num_steps, stepper.num_envs)
        observations = np.empty((*shape, stepper.observation_dim), np.float32)
        next_observations = np.empty_like(observations)
        actions = _empty_actions(stepper, shape)
        log_probs = np.empty(shape, np.float32)
        terminated = np.empty(shape, np.bool_)
        truncated = np.empty(shape, np.bool_)
        rollout_true_rewards = np.empty(shape, np.float64)
        finished: list[_Finished] = []
        for t in range(num_steps):
            observations[t] = stepper.observations
            actions[t], log_probs[t] = policy.act(stepper.observations, rng)
            result, ended = self._running.advance(actions[t], policy.version)
            finished += ended
            next_observations[t] = result.next_observations
            rollout_true_rewards[t] = result.true_rewards
            terminated[t], truncated[t] = result.terminated, result.truncated
        rollout = Rollout(
            observations=observations,
            actions=actions,
            log_probs=log_probs,
            next_observations=next_observations,
            terminated=terminated,
            truncated=truncated,
            policy_version=policy.version,
        )
        return Collected(
            rollout=rollout,
            episodes=[item.episode for item in finished],
            true_rewards=[item.true_rewards for item in finished],
            rollout_true_rewards=rollout_true_rewards,
        )

    def state_dict(self) -> State:
        """Return the stepper's state and the running episodes, as named arrays."""
        stepper = {f"stepper.{name}": array for name, array in self.stepper.state_dict().items()}
        return {**stepper, **self._running.state_dict()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue bit for bit from ``state_dict``; the stepper is restored as well.

        Raises:
            CheckpointError: the state is of another task or number of environments.
        """
        prefix = "stepper."
        self.stepper.load_state_dict(
            {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        )
        self._running.load_state_dict(state)


def run_episodes(
    task: Task, policy: ActingPolicy, num_episodes: int, seed: int, *, deterministic: bool
) -> tuple[list[Episode], Float64]:
    """Do what ``play_episodes`` does; return the episodes with their true returns (num_episodes,)."""
    episodes, true_rewards = play_episodes(task, policy, num_episodes, seed, deterministic=deterministic)
    return episodes, np.array([rewards.sum() for rewards in true_rewards], np.float64)


def play_episodes(
    task: Task, policy: ActingPolicy, num_episodes: int, seed: int, *, deterministic: bool
) -> tuple[list[Episode], list[Float64]]:
    """Run exactly ``num_episodes`` episodes and return them with the true rewards of their steps, (T,) each.

    Episode k is the (k // N)-th of environment k % N, whatever the lengths of the others, so short episodes
    are not overrepresented.

    Args:
        task: what to run.
        policy: acts on raw observations.
        num_episodes: at least 1.
        seed: of the resets and, unless ``deterministic``, of the actions.
        deterministic: whether the policy takes its most likely actions.
    """
    num_envs = min(num_episodes, MAX_EVALUATION_ENVS)
    stepper = VectorStepper(task, num_envs, seed)
    running, rng = _RunningEpisodes(stepper), generator(seed, "evaluation")
    found: dict[int, _Finished] = {}
    try:
        while len(found) < num_episodes:
            indices = stepper.episode_indices * num_envs + np.arange(num_envs)
            actions, _ = policy.act(stepper.observations, rng, deterministic=deterministic)
            _, finished = running.advance(actions, policy.version)
            for item in finished:
                index = int(indices[item.env_index])
                if index < num_episodes:
                    found[index] = item
    finally:
        stepper.close()
    ordered = [found[index] for index in range(num_episodes)]
    return [item.episode for item in ordered], [item.true_rewards for item in ordered]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Finished:
    env_index: int
    episode: Episode
    true_rewards: Float64


class _RunningEpisodes:
    """Buffers (N, horizon, ...) of the episodes under way; an episode is cut out when it ends."""

    def __init__(self, stepper: VectorStepper) -> None:
        shape = (stepper.num_envs, stepper.task.horizon)
        self._stepper = stepper
        self._everyone = np.arange(stepper.num_envs)
        self._observations = np.empty((shape[0], shape[1] + 1, stepper.observation_dim), np.float32)
        self._observations[:, 0] = stepper.observations
        self._actions = _empty_actions(stepper, shape)
        self._true_rewards = np.empty(shape, np.float64)
        self._sim_states: Float64 | None = None
        sim_states = stepper.sim_states
        if sim_states is not None:
            self._sim_states = np.empty((shape[0], shape[1] + 1, sim_states.shape[1]))
            self._sim_states[:, 0] = sim_states

    def advance(self, actions: Actions, policy_version: int) -> tuple[StepResult, list[_Finished]]:
        """Step once; return the result and the episodes that ended, by environment."""
        stepper, envs = self._stepper, self._everyone
        steps, seeds = stepper.elapsed, stepper.reset_seeds.copy()
        result = stepper.step(actions)
        self._actions[envs, steps] = result.applied_actions
        self._true_rewards[envs, steps] = result.true_rewards
        self._observations[envs, steps + 1] = result.next_observations
        if self._sim_states is not None:
            self._sim_states[envs, steps + 1] = result.next_sim_states
        ended = np.flatnonzero(result.terminated | result.truncated)
        if not ended.size:
            return result, []
        finished = [
            self._cut_out(
                int(i), int(steps[i]) + 1, bool(result.terminated[i]), int(seeds[i]), policy_version
            )
            for i in ended
        ]
        self._observations[ended, 0] = result.observations[ended]
        if self._sim_states is not None and (sim_states := stepper.sim_states) is not None:
            self._sim_states[ended, 0] = sim_states[ended]
        return result, finished

    def state_dict(self) -> State:
        """Return what is filled of the buffers, the environments one after the other."""
        lengths = self._stepper.elapsed
        state: State = {
            "actions": _filled(self._actions, lengths),
            "observations": _filled(self._observations, lengths + 1),
            "true_rewards": _filled(self._true_rewards, lengths),
        }
        if self._sim_states is not None:
            state["sim_states"] = _filled(self._sim_states, lengths + 1)
        return state

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Fill the buffers again, after the stepper has been restored."""
        lengths = self._stepper.elapsed
        _fill(self._actions, lengths, state["actions"])
        _fill(self._observations, lengths + 1, state["observations"])
        _fill(self._true_rewards, lengths, state["true_rewards"])
        if self._sim_states is not None:
            _fill(self._sim_states, lengths + 1, state["sim_states"])

    def _cut_out(
        self, env_index: int, length: int, terminated: bool, reset_seed: int, policy_version: int
    ) -> _Finished:
        states = self._sim_states
        episode = Episode(
            observations=self._observations[env_index, : length + 1].copy(),
            actions=self._actions[env_index, :length].copy(),
            terminated=terminated,
            reset_seed=reset_seed,
            policy_version=policy_version,
            sim_states=None if states is None else states[env_index, : length + 1].copy(),
        )
        true_rewards = self._true_rewards[env_index, :length].copy()
        return _Finished(env_index=env_index, episode=episode, true_rewards=true_rewards)


def _empty_actions(stepper: VectorStepper, shape: tuple[int, int]) -> Actions:
    if stepper.action_space.kind == "discrete":
        return np.empty(shape, np.int64)
    return np.empty((*shape, stepper.action_space.size), np.float32)


def _filled(buffer: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return np.concatenate([buffer[i, :n] for i, n in enumerate(lengths)])


def _fill(buffer: npt.NDArray[Any], lengths: npt.NDArray[np.int64], filled: npt.NDArray[Any]) -> None:
    for i, part in enumerate(np.split(filled, np.cumsum(lengths)[:-1])):
        buffer[i, : len(part)] = part
