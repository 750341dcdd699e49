"""Which keys act in which environment, for people who show an episode by hand.

The one place that says so. Known environments have keys named by what they do; others get one key per action,
or two per joint as long as there are no more than three joints.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from rlhf.errors import TaskError
from rlhf.types.experience import Float32
from rlhf.types.hopper import TUMBLER
from rlhf.types.task import ActionSpace, Task

MAX_DISCRETE = 9
MAX_JOINTS = 3
"""With more than these, fingers cannot follow."""
_JOINT_KEYS = (("ArrowLeft", "ArrowRight"), ("ArrowDown", "ArrowUp"), ("a", "d"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Control:
    """One thing that a person can hold down."""

    name: str
    """What it does, as written on its button."""
    key: str
    """The key as browsers name it, such as ``ArrowLeft`` or ``a``."""
    action: int | tuple[float, ...]
    """The discrete action, or what it adds to the continuous one, (A,)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Controls:
    """All controls of an environment."""

    controls: tuple[Control, ...]
    idle: tuple[int, ...] | None = None
    """Discrete actions taken in turn while nothing is held; None for continuous actions, which are then 0."""
    idle_text: str = "Without a key nothing is done."

    def action(self, held: Sequence[int], step: int) -> int | Float32:
        """Return the action for what is held.

        Of several discrete actions the last one held counts; continuous ones add up.

        Args:
            held: indices of the controls held down, in the order in which they were pressed.
            step: of the episode, for what is done while nothing is held.
        """
        actions = [self.controls[index].action for index in held]
        if self.idle is not None:
            last = actions[-1] if actions else self.idle[step % len(self.idle)]
            assert isinstance(last, int)
            return last
        total: Float32 = np.zeros(np.shape(self.controls[0].action), np.float32)
        for action in actions:
            total += np.asarray(action, np.float32)
        return np.clip(total, -1.0, 1.0)


def controls_of(task: Task, action_space: ActionSpace) -> Controls:
    """Return the controls of a task.

    Raises:
        TaskError: there are too many actions or joints for keys.
    """
    if task.env_id in _KNOWN:
        return _KNOWN[task.env_id]
    size = action_space.size
    if action_space.kind == "discrete":
        if size > MAX_DISCRETE:
            raise TaskError(_too_many(task, f"{size} actions to choose from", MAX_DISCRETE))
        named = [Control(name=f"Action {i}", key=str(i + 1), action=i) for i in range(size)]
        return Controls(controls=tuple(named), idle=(0,), idle_text="Without a key action 0 is taken.")
    if size > MAX_JOINTS:
        raise TaskError(_too_many(task, f"{size} joints to move at once", MAX_JOINTS))
    return _joints(*((f"Force {i + 1}", keys) for i, keys in enumerate(_JOINT_KEYS[:size])))


def _too_many(task: Task, what: str, most: int) -> str:
    return (
        f"{task.name!r} has {what}, and by keyboard {most} can be managed. "
        "Compare clips instead, or let a scripted expert show episodes where there is one."
    )


def _discrete(*controls: tuple[str, str, int], idle: tuple[int, ...], text: str | None = None) -> Controls:
    made = tuple(Control(name=name, key=key, action=action) for name, key, action in controls)
    return Controls(controls=made, idle=idle, idle_text=text or Controls.idle_text)


def _joints(*joints: tuple[str, tuple[str, str]], signs: tuple[str, str] = ("−", "+")) -> Controls:
    """Return two controls for each (joint, (key of its negative side, key of its positive side))."""
    made = []
    for index, (joint, keys) in enumerate(joints):
        for sign, key, value in zip(signs, keys, (-1.0, 1.0), strict=True):
            action = tuple(value if i == index else 0.0 for i in range(len(joints)))
            made.append(Control(name=f"{joint} {sign}", key=key, action=action))
    return Controls(controls=tuple(made))


_LANDER = _discrete(
    ("Tilt left", "ArrowLeft", 1),
    ("Main engine", "ArrowUp", 2),
    ("Tilt right", "ArrowRight", 3),
    idle=(0,),
)
_HOPPER = _joints(("Thigh", ("a", "q")), ("Leg", ("s", "w")), ("Foot", ("d", "e")))
_KNOWN: Mapping[str, Controls] = MappingProxyType(
    {
        # A push is always on: left and right in turn come closest to none.
        "CartPole-v1": _discrete(
            ("Push left", "ArrowLeft", 0),
            ("Push right", "ArrowRight", 1),
            idle=(0, 1),
            text="Without a key the cart is pushed left and right in turn.",
        ),
        "MountainCar-v0": _discrete(("Left", "ArrowLeft", 0), ("Right", "ArrowRight", 2), idle=(1,)),
        "Acrobot-v1": _discrete(
            ("Swing the lower link left", "ArrowLeft", 0),
            ("Swing the lower link right", "ArrowRight", 2),
            idle=(1,),
        ),
        # Positive torque turns counter-clockwise.
        "Pendulum-v1": Controls(
            controls=(
                Control(name="Turn left", key="ArrowLeft", action=(1.0,)),
                Control(name="Turn right", key="ArrowRight", action=(-1.0,)),
            )
        ),
        "LunarLander-v3": _LANDER,
        "Hopper-v5": _HOPPER,
        TUMBLER: _HOPPER,
        "Swimmer-v5": _joints(
            ("First joint", ("ArrowLeft", "ArrowRight")), ("Second joint", ("ArrowDown", "ArrowUp"))
        ),
    }
)
