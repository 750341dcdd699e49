"""Showing a segment again in Gymnasium's own environment: the same states that the policy saw.

Depends on a simulator state's layout per environment; draws nothing itself.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rlhf.errors import TaskError
from rlhf.experience.classic import CLASSIC_DYNAMICS
from rlhf.experience.spaces import flatten_observation
from rlhf.experience.tasks import make_env
from rlhf.types.experience import Float32, Float64, Segment
from rlhf.types.task import Task


def set_sim_state(env: Any, task: Task, sim_state: Float64) -> None:
    """Put a Gymnasium environment of ``task`` into a simulator state (S,), ready for ``env.render()``.

    The environment must have been reset once.

    Raises:
        TaskError: the task's environment has no settable state.
    """
    simulator = env.unwrapped
    if task.env_id == "Pendulum-v1":
        simulator.state, simulator.last_u = sim_state[:2].copy(), float(sim_state[2])
    elif task.env_id in CLASSIC_DYNAMICS:
        simulator.state = sim_state.copy()
    elif hasattr(simulator, "set_state"):
        num_positions = int(simulator.model.nq)
        simulator.set_state(sim_state[:num_positions], sim_state[num_positions:])
    else:
        raise TaskError(
            f"the environment {task.env_id!r} cannot be put into a state; replay its actions instead."
        )


def replay_segment(env: Any, task: Task, segment: Segment) -> Iterator[Float32]:
    """Lead ``env`` through a segment's L + 1 states; yield the observation (D,) while it stands at each.

    Without simulator states the environment is reset and all actions before the segment are replayed first.
    Absorbing states are not stepped.
    """
    replay = segment.replay
    observation, _ = env.reset(seed=replay.reset_seed)
    if replay.sim_states is not None:
        for sim_state in replay.sim_states:
            set_sim_state(env, task, sim_state)
            yield _observe(env)
        return
    actions = replay.actions_from_reset
    assert actions is not None, "a Segment holds sim_states or actions_from_reset"
    for action in actions[: replay.start]:
        observation = env.step(action)[0]
    yield flatten_observation(env.observation_space, observation)
    for step, absorbing in enumerate(segment.absorbing, replay.start):
        if not absorbing:
            observation = env.step(actions[step])[0]
        yield flatten_observation(env.observation_space, observation)


def restored_observations(task: Task, segment: Segment) -> Float32:
    """Return the observations (L + 1, D) that Gymnasium's environment shows when a segment is replayed."""
    env = make_env(task)
    try:
        return np.stack(list(replay_segment(env, task, segment)))
    finally:
        env.close()


def _observe(env: Any) -> Float32:
    # Gymnasium has no public way to observe without stepping.
    simulator = env.unwrapped
    for name in ("_get_obs", "_get_ob"):
        if hasattr(simulator, name):
            return flatten_observation(env.observation_space, getattr(simulator, name)())
    return flatten_observation(env.observation_space, simulator.state)
