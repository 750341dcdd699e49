"""What a person can teach: a task and the action space behind it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from rlhf.types.experience import Float32

STRIP_MOMENTS = 8
"""Moments of a whole episode that its strip shows, at even times over the horizon."""

Expert = Callable[[Float32], "int | Float32"]
"""One raw observation (D,) -> one action as policies give them; may remember what it saw of its episode."""


@dataclasses.dataclass(frozen=True)
class ActionSpace:
    """How actions look to the policy and the reward model.

    ``continuous``: float32 vectors of ``size`` numbers in [-1, 1], mapped linearly onto the environment's
    bounds by the environment side. ``discrete``: int64 in [0, size).
    """

    kind: Literal["continuous", "discrete"]
    size: int

    @property
    def feature_size(self) -> int:
        """Columns an action takes as reward-model input (one-hot when discrete)."""
        return self.size


def base_name(name: str) -> str:
    """Return the name of the task that a variant such as ``cartpole-balance+gravity=20`` comes from."""
    return name.partition("+")[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One thing to teach: an environment, a goal in words and the settings that suit it.

    Episodes have a fixed horizon. Where the environment ends early the agent sits in an absorbing state
    for the rest, so that neither survival nor early death can leak the goal.
    """

    name: str
    """Unique name such as ``pendulum-swingup`` or ``gym:Pendulum-v1``."""
    goal: str
    """The goal as shown to annotators, an imperative sentence without a full stop."""
    env_id: str
    """Gymnasium id."""
    env_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments for ``gymnasium.make``."""
    changes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What a variant changes about the environment's physics, by name; see ``experience.variants``."""
    horizon: int
    """Steps per episode, the absorbing ones included."""
    segment_steps: int
    """Steps of a segment shown in a query."""
    playback_fps: float
    """Frames per second at normal speed."""
    frame_skip: int = 1
    """Draw every so many steps; a segment of L steps has ``L // frame_skip + 1`` frames."""
    ends_early: bool = True
    """Whether the environment can end an episode before the horizon."""
    has_true_reward: bool = True
    """Whether a true reward exists. It is for teachers and evaluation only."""
    feature_names: tuple[str, ...] = ()
    """Names of the observation's entries, in order; may be empty."""
    feature_units: tuple[str, ...] = ()
    """Units of the same, as many as there are names; "" for a number without one."""
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Preset hyperparameters as dotted run settings, e.g. ``{"ppo.discount": 0.9}``."""
    expert: Callable[[], Expert] | None = None
    """Makes a scripted expert for one episode, where a simple one does the task well."""
