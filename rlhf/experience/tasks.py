"""Finding tasks by name and making their environments.

``get_task`` knows the presets, any other Gymnasium id as ``gym:<EnvId>`` or ``gym:<module>:<EnvId>``, and
EnvPool's as ``envpool:<Id>``; behind a preset or a Gymnasium id, changes of its physics as ``+gravity=20``.
Knows nothing of stepping or rendering.
"""

import dataclasses
import difflib
import functools
import importlib
import logging
import re
from typing import Any

import gymnasium

from rlhf.errors import TaskError
from rlhf.experience.envpool_env import EnvPoolEnv
from rlhf.experience.presets import PRESETS, expert_for, overrides_for
from rlhf.experience.spaces import action_space_of, observation_size, with_policy_actions
from rlhf.experience.variants import SIGN, apply_changes, name_changes, parse_changes
from rlhf.types.hopper import TUMBLER
from rlhf.types.task import ActionSpace, Task, base_name

GYM_PREFIX = "gym:"
ENVPOOL_PREFIX = "envpool:"
DEFAULT_HORIZON = 1000
DEFAULT_FPS = 30.0

_MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def list_tasks() -> list[Task]:
    """Return the presets in the order in which they are offered."""
    return list(PRESETS.values())


def get_task(name: str) -> Task:
    """Return the task of this name.

    Args:
        name: a preset such as ``pendulum-swingup``, or ``gym:<EnvId>``, or ``gym:<module>:<EnvId>`` for an
            environment that a third-party package registers when it is imported, or ``envpool:<Id>``; or a
            variant of one, such as ``pendulum-swingup+gravity=6+mass=1.5``.

    Raises:
        TaskError: there is no such task, or its environment cannot be used; the message says why.
    """
    name, sign, changes = name.partition(SIGN)
    if sign:
        return _vary(get_task(name), changes)
    if name in PRESETS:
        return PRESETS[name]
    if name.startswith(GYM_PREFIX):
        return _gym_task(name)
    if name.startswith(ENVPOOL_PREFIX):
        return _envpool_task(name)
    near = difflib.get_close_matches(name, PRESETS, n=3, cutoff=0.4) or list(PRESETS)
    raise TaskError(
        f"there is no task {name!r}; the closest are {', '.join(near)}. "
        "Any Gymnasium environment also works as gym:<EnvId>."
    )


gymnasium.register(TUMBLER, entry_point="rlhf.experience.tumbler:Tumbler")


def has_expert(name: str) -> bool:
    """Return whether the task of this name has a scripted expert, without making an environment."""
    return SIGN not in name and expert_for(env_id_of(name)) is not None


def env_id_of(name: str) -> str:
    """Return the Gymnasium id behind a task's name, without making an environment or importing its module."""
    base = base_name(name)
    return PRESETS[base].env_id if base in PRESETS else base.removeprefix(GYM_PREFIX)


def make_env(task: Task, *, render_mode: str | None = None) -> Any:
    """Return a new Gymnasium environment of ``task`` without a time limit.

    Its ``step`` takes actions as policies give them: float32 (A,) in [-1, 1], or an integer from zero. The
    same seed and actions lead to the same states, however often it was reset before.

    Raises:
        TaskError: the environment does not exist or could not be made.
    """
    try:
        if task.env_id.startswith(ENVPOOL_PREFIX):
            return with_policy_actions(EnvPoolEnv(task.env_id.removeprefix(ENVPOOL_PREFIX), render_mode))
        _log_mujoco_warnings(task.env_id)
        env = gymnasium.make(
            task.env_id,
            max_episode_steps=-1,
            disable_env_checker=True,
            render_mode=render_mode,
            **task.env_kwargs,
        )
        apply_changes(env.unwrapped, task.env_id, task.changes)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise TaskError(
            f"the environment {task.env_id!r} of task {task.name!r} cannot be made: {error}"
        ) from error
    if type(getattr(env.unwrapped, "world", None)).__name__ == "b2World":
        env = _FreshWorld(env)
    return with_policy_actions(env)


def spaces_of(task: Task) -> tuple[int, ActionSpace]:
    """Return (length of the flattened observation, action space) of a task without stepping it."""
    env = make_env(task)
    try:
        return observation_size(env.observation_space), action_space_of(env.action_space)
    finally:
        env.close()


class _FreshWorld(gymnasium.Wrapper):  # type: ignore[misc]  # Gymnasium is untyped here
    """Gives a Box2D environment a new world at every reset.

    BipedalWalker and CarRacing keep theirs, and the world remembers: after other episodes the same seed and
    actions lead to other states than in a new environment, so that a segment could not be shown again.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        simulator = self.env.unwrapped
        simulator._destroy()
        simulator.world = type(simulator.world)(gravity=simulator.world.gravity)
        return self.env.reset(seed=seed, options=options)


def _log_mujoco_warnings(env_id: str) -> None:
    # Without a handler MuJoCo appends them to MUJOCO_LOG.TXT in whatever is the current folder.
    spec = gymnasium.registry.get(env_id)
    if spec is not None and "mujoco" in str(spec.entry_point):
        import mujoco  # only for its own tasks: it takes a noticeable time to import

        mujoco.set_mju_user_warning(logging.getLogger("mujoco").info)


def _vary(task: Task, text: str) -> Task:
    changes = parse_changes(text, task.env_id)
    # A scripted expert was written for the usual physics.
    name = f"{task.name}{SIGN}{name_changes(changes)}"
    return dataclasses.replace(task, name=name, changes=changes, expert=None)


@functools.lru_cache(maxsize=64)
def _gym_task(name: str) -> Task:
    env_id = name.removeprefix(GYM_PREFIX)
    spec = _find_spec(env_id)
    try:
        _log_mujoco_warnings(env_id)
        env = gymnasium.make(env_id, max_episode_steps=-1, disable_env_checker=True)
    except Exception as error:  # a third-party constructor may raise anything; the caller needs one kind
        raise TaskError(
            f"the environment {env_id!r} cannot be made: {type(error).__name__}: {error}"
        ) from error
    try:
        modes = list(env.metadata.get("render_modes") or [])
        if "rgb_array" not in modes:
            raise TaskError(
                f"the environment {env_id!r} cannot be shown: its render modes are {modes}, not 'rgb_array'."
            )
        action_space_of(env.action_space)
        observation_size(env.observation_space)
        fps = float(env.metadata.get("render_fps") or DEFAULT_FPS)
    finally:
        env.close()
    return _describe(name, env_id, horizon=spec.max_episode_steps or DEFAULT_HORIZON, fps=fps)


@functools.lru_cache(maxsize=64)
def _envpool_task(name: str) -> Task:
    env = EnvPoolEnv(name.removeprefix(ENVPOOL_PREFIX))
    action_space_of(env.action_space)
    return _describe(name, name, horizon=env.horizon or DEFAULT_HORIZON, fps=DEFAULT_FPS)


def _describe(name: str, env_id: str, *, horizon: int, fps: float) -> Task:
    frame_skip = max(1, round(fps / DEFAULT_FPS))
    # About two seconds at normal speed; longer segments say too little about each of their steps.
    segment_steps = min(max(25, round(2 * fps)), 150, horizon)
    bare_name = env_id.rpartition(":")[2].rpartition("/")[2]
    return Task(
        name=name,
        goal=f"Solve {re.sub(r'-v[0-9]+$', '', bare_name)}",
        env_id=env_id,
        horizon=horizon,
        segment_steps=segment_steps,
        playback_fps=fps / frame_skip,
        frame_skip=frame_skip,
        overrides=overrides_for(env_id.removeprefix(ENVPOOL_PREFIX)),
        expert=expert_for(env_id),
    )


def _find_spec(env_id: str) -> Any:
    module, separator, bare_id = env_id.rpartition(":")
    if separator and not _MODULE_NAME.fullmatch(module):
        raise TaskError(f"{module!r} is not a module name; write gym:<EnvId> or gym:<module>:<EnvId>.")
    try:
        if separator:
            importlib.import_module(module)
    except (Exception, SystemExit) as error:  # importing runs whatever the module holds, scripts included
        raise TaskError(
            f"the module {module!r} of {env_id!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    try:
        return gymnasium.spec(bare_id)
    except gymnasium.error.Error as error:
        known = sorted(gymnasium.registry)
        near = difflib.get_close_matches(bare_id, known, n=3, cutoff=0.4)
        hint = f"the closest are {', '.join(near)}" if near else f"{len(known)} others are registered"
        raise TaskError(f"Gymnasium has no environment {env_id!r}; {hint}.") from error
