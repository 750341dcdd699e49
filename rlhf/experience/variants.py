"""Task variants: the same environment with other physics, as ``cartpole-balance+gravity=20``.

Every change is made on Gymnasium's own environment, whose attributes it names; the fast steppers take the
same numbers. So a variant is stepped, replayed and drawn like the task it comes from.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rlhf.errors import TaskError
from rlhf.types.hopper import TUMBLER

SIGN = "+"
"""Stands before each change in a task's name."""

_WITHOUT_STATES = ("LunarLander-v3",)  # Box2D's cannot be set
_CHANGE = re.compile(r"([a-z][a-z0-9_]*)=([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One number of an environment that a variant may set."""

    usual: float
    """Its value in the environment as it is; 1 for a factor."""
    low: float
    """Smallest value allowed."""
    high: float
    """Largest value allowed."""
    apply: Callable[[Any, float], None]
    """Makes the change on an unwrapped Gymnasium environment that was not reset yet."""
    needs: str = ""
    """Another number of it that is 0 as it is, and without which this one changes nothing; empty: none."""


def changes_of(env_id: str) -> Mapping[str, Change]:
    """Return by name what can be changed about a Gymnasium environment; empty where nothing can."""
    return _CHANGES.get(env_id, {})


def can_change_live(env_id: str) -> bool:
    """Return whether there is something to change while a run goes on.

    There is where an environment's states can be set. Elsewhere clips are replayed from the reset on, and
    would show what never happened.
    """
    return env_id in _CHANGES and env_id not in _WITHOUT_STATES


def parse_changes(text: str, env_id: str) -> dict[str, float]:
    """Return the changes of ``gravity=20+length=1``, in the order in which they are listed.

    Args:
        text: what follows the first ``+`` of a task's name.
        env_id: Gymnasium id of the environment to change.

    Raises:
        TaskError: it cannot be read, or the environment has no such change, or not in that range, or it
            changes nothing without another one.
    """
    allowed = changes_of(env_id)
    if not allowed:
        raise TaskError(f"{env_id!r} has no variants; those that have: {', '.join(sorted(_CHANGES))}.")
    found: dict[str, float] = {}
    for part in re.split(r"(?<!e)\+", text):
        match = _CHANGE.fullmatch(part)
        if match is None or match[1] not in allowed or match[1] in found or match[2].count(".") > 1:
            raise TaskError(
                f"{part!r} is not a change of {env_id!r}; write <name>=<number>, each name once, with "
                f"{', '.join(f'{name} (usually {change.usual:g})' for name, change in allowed.items())}."
            )
        change, value = allowed[match[1]], float(match[2])
        if not change.low <= value <= change.high:
            raise TaskError(
                f"{match[1]} is {value:g}; for {env_id!r} it must be from {change.low:g} to {change.high:g}."
            )
        found[match[1]] = value
    for name, value in found.items():
        needs = allowed[name].needs
        if needs and not found.get(needs):
            raise TaskError(
                f"{name} is {value:g}, which changes nothing without {needs}; add {SIGN}{needs}=<number>, "
                f"above 0 and at most {allowed[needs].high:g}, or leave {name} out."
            )
    return {name: found[name] for name in allowed if name in found}


def name_changes(changes: Mapping[str, float]) -> str:
    """Return what ``parse_changes`` reads, e.g. ``gravity=20+length=1``."""
    return SIGN.join(f"{name}={value!r}".removesuffix(".0") for name, value in changes.items())


def apply_changes(simulator: Any, env_id: str, changes: Mapping[str, float]) -> None:
    """Change an unwrapped Gymnasium environment of ``env_id`` that was not reset yet."""
    for name, value in changes.items():
        _CHANGES[env_id][name].apply(simulator, value)


def _attribute(
    name: str,
    usual: float,
    low: float,
    high: float,
    *,
    then: Callable[[Any], None] | None = None,
    needs: str = "",
) -> Change:
    def apply(simulator: Any, value: float) -> None:
        setattr(simulator, name, value)
        if then is not None:
            then(simulator)

    return Change(usual=usual, low=low, high=high, apply=apply, needs=needs)


def _derive_cartpole(simulator: Any) -> None:
    simulator.total_mass = simulator.masspole + simulator.masscart
    simulator.polemass_length = simulator.masspole * simulator.length


def _turn_wind_on(simulator: Any) -> None:
    simulator.enable_wind = simulator.wind_power > 0.0


def _factor(apply: Callable[[Any, float], None], low: float = 0.1, high: float = 10.0) -> Change:
    return Change(usual=1.0, low=low, high=high, apply=lambda simulator, value: apply(simulator.model, value))


def _scale_mass(model: Any, factor: float) -> None:
    import mujoco  # only for its own tasks: it takes a noticeable time to import

    model.body_mass *= factor
    model.body_inertia *= factor
    mujoco.mj_setConst(model, mujoco.MjData(model))  # what MuJoCo derives from masses


def _scale_gear(model: Any, factor: float) -> None:
    model.actuator_gear[:] *= factor


def _scale_friction(model: Any, factor: float) -> None:
    model.geom_friction[:] *= factor


def _scale_gravity(model: Any, factor: float) -> None:
    model.opt.gravity[:] *= factor


def _actuators(indices: Sequence[int]) -> Change:
    def apply(model: Any, factor: float) -> None:
        model.actuator_gear[list(indices)] *= factor

    return _factor(apply, low=0.0, high=2.0)


_BODY: Mapping[str, Change] = MappingProxyType(
    {
        "mass": _factor(_scale_mass),
        "gear": _factor(_scale_gear, high=2.0),
        "friction": _factor(_scale_friction),
        "gravity": _factor(_scale_gravity, high=3.0),
    }
)
"""Factors on all masses, motor strengths, contact frictions, and on gravity."""
_HOPPER = MappingProxyType({**_BODY, "foot": _actuators((2,))})

_CHANGES: Mapping[str, Mapping[str, Change]] = MappingProxyType(
    {
        "CartPole-v1": {
            "gravity": _attribute("gravity", 9.8, 1.0, 50.0),
            "length": _attribute("length", 0.5, 0.1, 3.0, then=_derive_cartpole),
            "pole_mass": _attribute("masspole", 0.1, 0.01, 2.0, then=_derive_cartpole),
            "force": _attribute("force_mag", 10.0, 1.0, 50.0),
        },
        "Pendulum-v1": {
            "gravity": _attribute("g", 10.0, 1.0, 20.0),
            "mass": _attribute("m", 1.0, 0.1, 3.0),
        },
        "MountainCar-v0": {
            "gravity": _attribute("gravity", 0.0025, 0.001, 0.004),
            "force": _attribute("force", 0.001, 0.0005, 0.003),
        },
        "Acrobot-v1": {
            "mass_1": _attribute("LINK_MASS_1", 1.0, 0.1, 4.0),
            "mass_2": _attribute("LINK_MASS_2", 1.0, 0.1, 4.0),
        },
        "LunarLander-v3": {
            "gravity": _attribute("gravity", -10.0, -11.9, -0.5),
            "wind": _attribute("wind_power", 0.0, 0.0, 20.0, then=_turn_wind_on),
            "turbulence": _attribute("turbulence_power", 1.5, 0.0, 2.0, needs="wind"),
        },
        "HalfCheetah-v5": {**_BODY, "back_leg": _actuators((0, 1, 2)), "front_leg": _actuators((3, 4, 5))},
        "Walker2d-v5": {**_BODY, "right_leg": _actuators((0, 1, 2)), "left_leg": _actuators((3, 4, 5))},
        "Hopper-v5": _HOPPER,
        TUMBLER: _HOPPER,
        "Swimmer-v5": {"mass": _BODY["mass"], "gear": _BODY["gear"]},
        "Ant-v5": {**_BODY, "front_left_leg": _actuators((2, 3))},
    }
)
"""By Gymnasium id. A leg's number is the factor on its motors: 0 cripples it."""
