"""Recording one episode step by step, as a person or a scripted expert acts it.

It may begin at a reset or in the middle of recorded behaviour. True rewards are kept beside the segment that
comes out, never in it.
"""

import dataclasses

import numpy as np

from rlhf.errors import TaskError
from rlhf.experience.backends import has_vector_dynamics, make_batched_env
from rlhf.types.experience import NO_POLICY, Actions, Float32, Float64, Replay, Segment
from rlhf.types.task import Task

_ONE = np.zeros(1, np.int64)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """Where a recording begins: ``step`` steps after the reset with this seed."""

    reset_seed: int
    step: int = 0
    observation: Float32 | None = None
    """(D,), what is seen there; None at a reset."""
    sim_state: Float64 | None = None
    actions: Actions | None = None
    """Those since the reset, (step, ...), where they are known."""


def start_within(task: Task, segment: Segment, step: int) -> Start:
    """Return the start ``step`` steps into a recorded segment.

    Raises:
        TaskError: the episode has ended there, or this environment cannot be put into such a state.
    """
    replay, last = segment.replay, segment.num_real_steps - 1
    if not 0 <= step <= last:
        raise TaskError(
            f"step {step} cannot be taken over: the episode goes on only after steps 0 to {last} of the clip."
        )
    actions: Actions | None = None
    if replay.actions_from_reset is not None:
        actions = replay.actions_from_reset[: replay.start + step]
    elif replay.start == 0:
        actions = segment.actions[:step]
    if actions is None and not has_vector_dynamics(task):
        raise TaskError(
            f"the environment {task.env_id!r} can only be led to a state from its reset, and this clip "
            "begins in the middle of an episode; choose the recording of a whole episode."
        )
    return Start(
        reset_seed=replay.reset_seed,
        step=replay.start + step,
        observation=segment.observations[step],
        sim_state=None if replay.sim_states is None else replay.sim_states[step],
        actions=actions,
    )


class EpisodeRecorder:
    """One environment with a memory of what happened since the start.

    Args:
        task: what is shown.
        start: where the episode begins.
    """

    def __init__(self, task: Task, start: Start) -> None:
        self.task = task
        self._env = make_batched_env(task, 1)
        self.action_space = self._env.action_space
        self.begin(start)

    def begin(self, start: Start) -> None:
        """Forget what was recorded and begin at ``start``."""
        self.start = start
        observation = self._env.reset(_ONE, _ONE + start.reset_seed)[0]
        if start.step:
            assert start.observation is not None, "only a reset shows by itself what is seen"
            none = self._array([])
            self._env.restore(
                0,
                sim_state=start.sim_state,
                reset_seed=start.reset_seed,
                actions=none if start.actions is None else start.actions,
            )
            observation = start.observation
        self._observations: list[Float32] = [observation]
        self._sim_states: list[Float64] = []
        self._actions: list[int | Float32] = []
        self._true_rewards: list[float] = []
        self.terminated = self._was_cut = False
        self._remember_state()

    @property
    def observation(self) -> Float32:
        """(D,), where the environment stands."""
        return self._observations[-1]

    @property
    def sim_state(self) -> Float64 | None:
        """Simulator state (S,) of ``observation``, or None."""
        return self._sim_states[-1] if self._sim_states else None

    @property
    def num_steps(self) -> int:
        """Steps since the start."""
        return len(self._actions)

    @property
    def steps_left(self) -> int:
        """Steps to the horizon; 0 once the episode is over."""
        left = self.task.horizon - self.start.step - self.num_steps
        return 0 if self.terminated or self._was_cut else max(0, left)

    @property
    def true_rewards(self) -> Float64:
        """What the environment paid since the start, (L,); for teachers and evaluation only."""
        return np.array(self._true_rewards, np.float64)

    def step(self, action: int | Float32) -> None:
        """Take one step.

        Args:
            action: an integer from zero, or float32 (A,) in [-1, 1].

        Raises:
            TaskError: the episode is over.
        """
        if not self.steps_left:
            raise TaskError("the episode is over; begin another one.")
        applied = self._array([action])
        observations, rewards, terminated, was_cut = self._env.step(applied)
        self._actions.append(applied[0])
        self._observations.append(observations[0])
        self._true_rewards.append(float(rewards[0]))
        self.terminated, self._was_cut = bool(terminated[0]), bool(was_cut[0])
        self._remember_state()

    def segment(self) -> Segment:
        """Return all that was recorded as one segment without absorbing steps.

        Raises:
            TaskError: there was no step yet.
        """
        if not self._actions:
            raise TaskError("nothing was recorded yet; take at least one step.")
        actions = self._array(self._actions)
        sim_states = np.stack(self._sim_states) if self._sim_states else None
        before = self.start.actions
        from_reset = actions if before is None else np.concatenate([before, actions])
        return Segment(
            observations=np.stack(self._observations),
            actions=actions,
            absorbing=np.zeros(len(actions), np.bool_),
            policy_version=NO_POLICY,
            replay=Replay(
                reset_seed=self.start.reset_seed,
                start=self.start.step,
                sim_states=sim_states,
                actions_from_reset=from_reset if sim_states is None else None,
            ),
        )

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()

    def _array(self, actions: list[int | Float32]) -> Actions:
        if self.action_space.kind == "discrete":
            return np.array(actions, np.int64)
        shape = (len(actions), self.action_space.size)
        return np.clip(np.array(actions, np.float32).reshape(shape), -1.0, 1.0)

    def _remember_state(self) -> None:
        states = self._env.sim_states()
        if states is not None:
            self._sim_states.append(states[0])


def act_out(task: Task, seed: int) -> EpisodeRecorder:
    """Let the task's scripted expert act one episode and return its recorder.

    Raises:
        TaskError: the task has no scripted expert.
    """
    if task.expert is None:
        raise TaskError(f"task {task.name!r} has no scripted expert; record an episode by hand instead.")
    expert = task.expert()
    recorder = EpisodeRecorder(task, Start(reset_seed=seed))
    while recorder.steps_left:
        recorder.step(expert(recorder.observation))
    return recorder
