"""The tasks that are offered by name: data only.

A clip of ``segment_steps`` lasts 1.5 to 3.5 seconds on screen, some of them in slow motion. The ``overrides``
are starting points for PPO; the fields they name are described in ``PPOConfig``.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rlhf.experience import experts
from rlhf.types.hopper import STANDING, TUMBLER
from rlhf.types.task import Expert, Task

_HOPPER_FEATURES = (
    "height",
    "torso angle",
    "thigh angle",
    "leg angle",
    "foot angle",
    "forward velocity",
    "vertical velocity",
    "torso angular velocity",
    "thigh angular velocity",
    "leg angular velocity",
    "foot angular velocity",
)

_TUMBLER_FEATURES = (
    *("sine of the torso angle" if name == "torso angle" else name for name in _HOPPER_FEATURES),
    "cosine of the torso angle",
    "height of the lowest point",
    "touches the ground",
)
_WALKER_JOINTS = ("right thigh", "right leg", "right foot", "left thigh", "left leg", "left foot")
_CHEETAH_JOINTS = ("back thigh", "back shin", "back foot", "front thigh", "front shin", "front foot")
_ANT_JOINTS = tuple(
    f"{leg} {joint}"
    for leg in ("front left", "front right", "back left", "back right")
    for joint in ("hip", "ankle")
)
_BIPED_JOINTS = ("first hip", "first knee", "second hip", "second knee")

_RESCALED = ("LunarLander-v3", "BipedalWalker-v3", "MountainCar-v0")
"""Environments that give shares of the screen, or change per step, for lengths and speeds."""


def _planar_features(joints: tuple[str, ...]) -> tuple[str, ...]:
    positions = ("height", "torso angle", *(f"{joint} angle" for joint in joints))
    velocities = ("forward velocity", "vertical velocity", "torso angular velocity")
    return positions + velocities + tuple(f"{joint} angular velocity" for joint in joints)


def _biped_leg(first: int) -> tuple[str, ...]:
    joints = _BIPED_JOINTS[first : first + 2]
    side = "first" if first == 0 else "second"
    return (
        *(f"{joint} {what}" for joint in joints for what in ("angle", "speed")),
        f"{side} leg touches ground",
    )


_TASKS = (
    Task(
        name="cartpole-balance",
        goal="Balance the pole",
        env_id="CartPole-v1",
        horizon=500,
        segment_steps=50,
        playback_fps=25,
        feature_names=("cart position", "cart velocity", "pole angle", "pole angular velocity"),
        expert=experts.BalanceCartPole,
        overrides={"collect.num_envs": 8},
    ),
    Task(
        name="pendulum-swingup",
        goal="Swing the pendulum up and hold it",
        env_id="Pendulum-v1",
        ends_early=False,
        horizon=200,
        segment_steps=50,
        playback_fps=25,
        feature_names=("cosine of angle", "sine of angle", "angular velocity"),
        expert=experts.SwingUpPendulum,
        overrides={
            "collect.num_envs": 8,
            "ppo.num_steps": 128,
            "ppo.discount": 0.95,
            "ppo.learning_rate": 1e-3,
        },
    ),
    Task(
        name="mountaincar-climb",
        goal="Drive up the hill to the flag",
        env_id="MountainCar-v0",
        horizon=200,
        segment_steps=100,
        playback_fps=30,
        feature_names=("position", "velocity"),
        expert=experts.RockMountainCar,
        overrides={
            "collect.num_envs": 16,
            "ppo.num_steps": 128,
            "ppo.gae_lambda": 0.98,
            "ppo.learning_rate": 1e-3,
            "ppo.entropy_coef": 0.01,
        },
    ),
    Task(
        name="acrobot-swingup",
        goal="Swing the tip above the line",
        env_id="Acrobot-v1",
        horizon=500,
        segment_steps=25,
        playback_fps=15,
        feature_names=(
            "cosine of first angle",
            "sine of first angle",
            "cosine of second angle",
            "sine of second angle",
            "first angular velocity",
            "second angular velocity",
        ),
        expert=experts.PumpAcrobot,
        overrides={
            "collect.num_envs": 16,
            "ppo.num_steps": 128,
            "ppo.gae_lambda": 0.94,
            "ppo.learning_rate": 1e-3,
            "ppo.entropy_coef": 0.01,
        },
    ),
    Task(
        name="lunarlander-land",
        goal="Land gently between the flags",
        env_id="LunarLander-v3",
        horizon=1000,
        segment_steps=60,
        playback_fps=30,
        feature_names=(
            "horizontal position",
            "height",
            "horizontal velocity",
            "vertical velocity",
            "angle",
            "angular velocity",
            "left leg touches ground",
            "right leg touches ground",
        ),
        expert=experts.LandSoftly,
        overrides={
            "collect.num_envs": 16,
            "ppo.num_steps": 256,
            "ppo.discount": 0.999,
            "ppo.gae_lambda": 0.98,
            "ppo.learning_rate": 5e-4,
            "ppo.entropy_coef": 0.01,
            "improve.max_discount": 0.99,
        },
    ),
    Task(
        name="bipedalwalker-walk",
        goal="Walk forward without falling",
        env_id="BipedalWalker-v3",
        horizon=1600,
        segment_steps=100,
        playback_fps=25,
        frame_skip=2,
        feature_names=(
            "hull angle",
            "hull angular velocity",
            "forward velocity",
            "vertical velocity",
            *_biped_leg(0),
            *_biped_leg(2),
            *(f"lidar {ray}" for ray in range(10)),
        ),
        expert=experts.WalkOnTwoLegs,
        overrides={
            "collect.num_envs": 16,
            "ppo.num_steps": 256,
            "ppo.discount": 0.999,
            "ppo.clip_range": 0.18,
            # Standing still is safe, and random behaviour, which is all falls, says no more than that: early
            # answers about what the policy does, and a liking for what the members disagree about.
            "improve.curiosity": 1.0,
            "schedule.initial_labels": 24,
            "schedule.labels_end": 0.4,
            # A gait shows in every clip: more can be learned of it than where only the end counts.
            "demonstrations.share": 0.5,
        },
    ),
    Task(
        name="hopper-run",
        goal="Hop forward as fast as possible",
        env_id="Hopper-v5",
        env_kwargs={"terminate_when_unhealthy": False},
        ends_early=False,
        horizon=1000,
        segment_steps=100,
        playback_fps=30,
        frame_skip=2,
        feature_names=_HOPPER_FEATURES,
        overrides={"collect.num_envs": 8, "ppo.num_steps": 256, "ppo.initial_log_std": -1.0},
    ),
    Task(
        name="hopper-backflip",
        goal="Do a backflip",
        env_id=TUMBLER,
        horizon=250,
        segment_steps=63,
        playback_fps=30,
        feature_names=_TUMBLER_FEATURES,
        overrides={
            "collect.num_envs": 8,
            "ppo.num_steps": 256,
            "ppo.entropy_coef": 0.003,
            # What makes a somersault is a product of what is observed; velocities are, too.
            "reward.model_class": "quadratic",
            "reward.use_changes": False,
            # A fall ends it all: that is worth a little less than standing still.
            "reward.use_endings": False,
            "reward.rest": STANDING,
            "improve.ending_cost": 0.3,
            # Nothing less than a jump and a full turn pays: what the members disagree about leads there.
            "improve.curiosity": 1.0,
            # Random behaviour only falls; what seeks the new jumps and turns over, and is asked about.
            "collect.novelty_steps": 60_000,
            # Steps are cheap beside answers: several starts from there, each of which is soon told what is
            # wrong about it. What the reward likes best of all is then practised to the end.
            "schedule.total_steps": 2_400_000,
            "schedule.labels": 150,
            "schedule.initial_labels": 24,
            "schedule.front_load": 1.0,
            "schedule.labels_end": 0.5,
            "improve.restarts": (0.085, 0.17, 0.25),
            "improve.resume_best": True,
        },
    ),
    Task(
        name="walker2d-run",
        goal="Run forward on both legs",
        env_id="Walker2d-v5",
        env_kwargs={"terminate_when_unhealthy": False},
        ends_early=False,
        horizon=1000,
        segment_steps=100,
        playback_fps=30,
        frame_skip=2,
        feature_names=_planar_features(_WALKER_JOINTS),
        overrides={"collect.num_envs": 8, "ppo.num_steps": 256, "ppo.initial_log_std": -1.0},
    ),
    Task(
        name="halfcheetah-run",
        goal="Run forward as fast as possible",
        env_id="HalfCheetah-v5",
        ends_early=False,
        horizon=1000,
        segment_steps=50,
        playback_fps=25,
        feature_names=_planar_features(_CHEETAH_JOINTS),
        overrides={
            "collect.num_envs": 8,
            "ppo.num_steps": 256,
            "ppo.discount": 0.98,
            "ppo.gae_lambda": 0.92,
            "ppo.minibatch_size": 128,
            "ppo.learning_rate": 2e-4,
            "ppo.hidden": (128, 128),
            "ppo.initial_log_std": -1.0,
        },
    ),
    Task(
        name="swimmer-run",
        goal="Swim to the right as fast as possible",
        env_id="Swimmer-v5",
        ends_early=False,
        horizon=1000,
        segment_steps=75,
        playback_fps=25,
        feature_names=(
            "body angle",
            "first joint angle",
            "second joint angle",
            "forward velocity",
            "sideways velocity",
            "body angular velocity",
            "first joint angular velocity",
            "second joint angular velocity",
        ),
        # Gliding between strokes pays only for those who look a thousand steps ahead.
        overrides={
            "collect.num_envs": 4,
            "ppo.num_steps": 1024,
            "ppo.discount": 0.9999,
            "ppo.learning_rate": 6e-4,
        },
    ),
    Task(
        name="ant-run",
        goal="Run to the right as fast as possible",
        env_id="Ant-v5",
        env_kwargs={"terminate_when_unhealthy": False, "include_cfrc_ext_in_observation": False},
        ends_early=False,
        horizon=1000,
        segment_steps=50,
        playback_fps=25,
        feature_names=(
            "height",
            *(f"orientation {axis}" for axis in "wxyz"),
            *(f"{joint} angle" for joint in _ANT_JOINTS),
            *(f"velocity {axis}" for axis in "xyz"),
            *(f"angular velocity {axis}" for axis in "xyz"),
            *(f"{joint} angular velocity" for joint in _ANT_JOINTS),
        ),
        overrides={"collect.num_envs": 16, "ppo.num_steps": 256, "ppo.initial_log_std": -1.0},
    ),
)


def _unit(name: str, env_id: str) -> str:
    """Return the unit of an observation's entry: its name says what it is."""
    if env_id in _RESCALED and "angle" not in name:
        return ""
    known = {"sine": "", "angular velocity": "rad/s", "velocity": "m/s", "angle": "rad"}
    known |= {"height": "m", "position": "m"}
    return next((unit for part, unit in known.items() if part in name), "")


def _with_units(task: Task) -> Task:
    units = tuple(_unit(name, task.env_id) for name in task.feature_names)
    return dataclasses.replace(task, feature_units=units)


PRESETS: Mapping[str, Task] = MappingProxyType({task.name: _with_units(task) for task in _TASKS})


def overrides_for(env_id: str) -> Mapping[str, Any]:
    """Return the hyperparameters for an environment with its standard reward, as dotted run settings.

    They are those of the first preset on the same environment; empty for one that nobody has tried.
    """
    return next((task.overrides for task in _TASKS if task.env_id == env_id), {})


def expert_for(env_id: str) -> Callable[[], Expert] | None:
    """Return the scripted expert of the first preset on an environment, or None."""
    return next((task.expert for task in _TASKS if task.env_id == env_id), None)
