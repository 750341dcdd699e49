"""Which tasks, answers and seeds ``labels`` runs, as data."""

import dataclasses
from collections.abc import Mapping

ORACLE = "oracle"
CROWD = "oracle+mistake:0.1+mistake:0.3+stochastic+myopic:0.9"
"""Five annotators with one fault each, who answer equally often."""

_MILLION = 1_000_000
_LINEAR = ("halfcheetah-run", "hopper-run", "walker2d-run", "swimmer-run")
_NOT_LINEAR = ("lunarlander-land", "bipedalwalker-walk", "ant-run", "acrobot-swingup")
_MAIN_ARMS = ("ours", "random-mlp", "prefppo", "christiano")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """Who answers, and how often."""

    teacher: str
    labels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tier:
    """A set of runs with one purpose."""

    about: str
    tasks: Mapping[str, int]
    """Task -> environment steps of every arm, the reference too."""
    askings: tuple[Asking, ...]
    arms: tuple[str, ...] = _MAIN_ARMS
    seeds: int = 5
    first_seed: int = 5
    """Settings are tried on seeds 0 to 4, so that those that are reported are not tuned on."""


def _askings(*teachers: str, labels: tuple[int, ...]) -> tuple[Asking, ...]:
    return tuple(Asking(teacher=teacher, labels=number) for teacher in teachers for number in labels)


TIERS: Mapping[str, Tier] = {
    "T0": Tier(
        about="a few minutes, to see that it works",
        tasks={"pendulum-swingup": 30_000},
        askings=_askings(ORACLE, labels=(20, 60)),
        arms=("ours", "random-mlp"),
        seeds=1,
        first_seed=0,
    ),
    "dev": Tier(
        about="where settings are tried",
        tasks=dict.fromkeys(("halfcheetah-run", "hopper-run"), 300_000),
        askings=_askings(ORACLE, labels=(50, 100)),
        arms=("ours", "random-mlp"),
        seeds=3,
        first_seed=0,
    ),
    "T1": Tier(
        about="small tasks",
        tasks={
            "cartpole-balance": 100_000,
            "pendulum-swingup": 100_000,
            "mountaincar-climb": 300_000,
            "acrobot-swingup": 300_000,
            "lunarlander-land": 300_000,
        },
        askings=_askings(ORACLE, "mistake:0.1", "stochastic", labels=(50, 100, 200)),
    ),
    "T2": Tier(
        about="the headline: rewards nearly linear in the observation",
        tasks=dict.fromkeys(_LINEAR, _MILLION),
        askings=_askings(ORACLE, labels=(50, 100, 350)),
    ),
    "T2b": Tier(
        about="rewards that are not linear",
        tasks=dict.fromkeys(_NOT_LINEAR, _MILLION),
        askings=_askings(ORACLE, labels=(50, 100, 350)),
    ),
    "noise": Tier(
        about="the headline's tasks with people's faults",
        tasks=dict.fromkeys(_LINEAR, _MILLION),
        askings=(
            Asking(teacher=ORACLE, labels=350),
            Asking(teacher="mistake:0.1", labels=350),
            Asking(teacher="mistake:0.3", labels=1000),
            Asking(teacher=CROWD, labels=350),
        ),
        arms=("ours", "random-mlp"),
    ),
    "controls": Tier(
        about="what must not work: answers at random, all of them wrong, none at all",
        tasks=dict.fromkeys(("halfcheetah-run", "pendulum-swingup"), 300_000),
        askings=(*_askings("random", "flipped", labels=(100,)), Asking(teacher=ORACLE, labels=0)),
        arms=("ours",),
    ),
}
"""By name. A run of a million steps takes minutes on one core, so a full tier takes hours."""
