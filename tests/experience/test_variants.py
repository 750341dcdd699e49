"""Variants step, replay and look like Gymnasium's own environment with the same attribute changed."""

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.backends import make_batched_env
from rlhf.experience.classic import CLASSIC_DYNAMICS, ClassicBatchedEnv
from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.replay import restored_observations
from rlhf.experience.rollout import run_episodes
from rlhf.experience.segments import cut
from rlhf.experience.spaces import with_policy_actions
from rlhf.experience.tasks import get_task, has_expert, list_tasks, make_env, spaces_of
from rlhf.experience.variants import can_change_live, changes_of
from rlhf.experience.vector import VectorStepper
from rlhf.types.task import Task

ATTRIBUTES: dict[str, dict[str, float]] = {
    "cartpole-balance+gravity=20": {"gravity": 20.0},
    "cartpole-balance+length=1": {"length": 1.0, "polemass_length": 0.1},
    "cartpole-balance+pole_mass=0.3+force=8": {
        "masspole": 0.3,
        "total_mass": 1.3,
        "polemass_length": 0.15,
        "force_mag": 8.0,
    },
    "pendulum-swingup+gravity=6": {"g": 6.0},
    "pendulum-swingup+mass=1.5": {"m": 1.5},
    "mountaincar-climb+gravity=0.002+force=0.0008": {"gravity": 0.002, "force": 0.0008},
    "acrobot-swingup+mass_1=0.5+mass_2=2": {"LINK_MASS_1": 0.5, "LINK_MASS_2": 2.0},
    "lunarlander-land+gravity=-7": {"gravity": -7.0},
    "lunarlander-land+wind=15": {"enable_wind": True, "wind_power": 15.0, "turbulence_power": 1.5},
}


def heavier(model: Any) -> None:
    model.body_mass *= 1.5
    model.body_inertia *= 1.5
    mujoco.mj_setConst(model, mujoco.MjData(model))


def weaker(model: Any) -> None:
    model.actuator_gear *= 0.7


def smoother(model: Any) -> None:
    model.geom_friction *= 0.5


def lame(model: Any) -> None:
    model.actuator_gear[3:6] = 0.0


MODELS = {
    "halfcheetah-run+mass=1.5": heavier,
    "halfcheetah-run+front_leg=0": lame,
    "hopper-run+gear=0.7": weaker,
    "gym:Hopper-v5+mass=1.5": heavier,
    "walker2d-run+friction=0.5": smoother,
    "walker2d-run+left_leg=0": lame,
}


def gymnasium_env(name: str) -> Any:
    """Make Gymnasium's environment of a variant with nothing of the code under test but the preset's data."""
    task = get_task(name)
    env = gymnasium.make(task.env_id, max_episode_steps=-1, disable_env_checker=True, **task.env_kwargs)
    for attribute, value in ATTRIBUTES.get(name, {}).items():
        setattr(env.unwrapped, attribute, value)
    if name in MODELS:
        MODELS[name](env.unwrapped.model)
    return with_policy_actions(env)


def differs(name: str) -> float:
    """Return how far 60 steps lead from those of the task as it is."""
    first, second = make_batched_env(get_task(name), 1), make_batched_env(get_task(name.partition("+")[0]), 1)
    one, rng = np.zeros(1, np.int64), np.random.default_rng(3)
    first.reset(one, one + 5)
    second.reset(one, one + 5)
    apart = 0.0
    for _ in range(60):
        actions = random_action(first, rng)
        apart = max(apart, float(np.abs(first.step(actions)[0] - second.step(actions)[0]).max()))
    return apart


def random_action(env: Any, rng: np.random.Generator) -> np.ndarray:
    if env.action_space.kind == "discrete":
        return rng.integers(env.action_space.size, size=1)
    return rng.uniform(-1, 1, (1, env.action_space.size)).astype(np.float32)


@pytest.mark.parametrize("name", [*ATTRIBUTES, *MODELS])
def test_three_hundred_steps_agree_with_gymnasiums_changed_environment(name: str) -> None:
    ours, theirs, rng = make_batched_env(get_task(name), 1), gymnasium_env(name), np.random.default_rng(0)
    one, seed = np.zeros(1, np.int64), 7
    ours.reset(one, one + seed)
    theirs.reset(seed=seed)
    for _ in range(300):
        action = random_action(ours, rng)
        observations, rewards, terminated, _ = ours.step(action)
        expected, reward, ended, _, _ = theirs.step(action[0])
        np.testing.assert_allclose(observations[0], np.float32(expected), rtol=1e-6, atol=1e-6)
        if name in ATTRIBUTES:  # the MuJoCo presets are paid without control costs
            np.testing.assert_allclose(rewards[0], reward, rtol=1e-6, atol=1e-6)
        assert terminated[0] == ended
        if ended:
            seed += 1
            ours.reset(one, one + seed)
            theirs.reset(seed=seed)
    ours.close()
    assert differs(name) > 1e-4


@pytest.mark.parametrize(
    "name",
    [
        "cartpole-balance+gravity=20",
        "pendulum-swingup+mass=1.5",
        "acrobot-swingup+mass_2=2",
        "lunarlander-land+wind=15+turbulence=1",
        "hopper-run+mass=1.5+foot=0",
    ],
)
def test_a_segment_of_a_variant_is_shown_again_as_it_was(name: str) -> None:
    task = get_task(name)
    policy = UniformRandomPolicy(spaces_of(task)[1])
    episode = run_episodes(task, policy, 2, 11, deterministic=False)[0][-1]
    start = min(episode.num_steps // 2, task.horizon - task.segment_steps)
    segment = cut(episode, start, task.segment_steps, task.horizon)
    np.testing.assert_allclose(restored_observations(task, segment), segment.observations, rtol=0, atol=1e-7)


def test_a_longer_pole_is_drawn_longer() -> None:
    pictures = []
    for name in ("cartpole-balance", "cartpole-balance+length=1"):
        env = make_env(get_task(name), render_mode="rgb_array")
        env.reset(seed=0)
        pictures.append(env.render())
        env.close()
    assert (pictures[0] != pictures[1]).any()


def test_names_are_put_in_order_and_describe_the_variant() -> None:
    task, preset = get_task("cartpole-balance+length=1.0+gravity=2e1"), get_task("cartpole-balance")
    assert task.name == "cartpole-balance+gravity=20+length=1"
    assert get_task(task.name) == task
    assert task.changes == {"gravity": 20.0, "length": 1.0}
    assert (task.env_id, task.horizon, task.feature_names) == (
        preset.env_id,
        preset.horizon,
        preset.feature_names,
    )


def test_scripted_experts_know_the_usual_physics_only() -> None:
    assert get_task("cartpole-balance+gravity=20").expert is None
    assert not has_expert("cartpole-balance+gravity=20")
    assert not has_expert("gym:CartPole-v1+gravity=20")


@pytest.mark.parametrize("env_id", sorted(CLASSIC_DYNAMICS))
def test_every_change_of_a_classic_task_has_the_usual_value_of_its_dynamics(env_id: str) -> None:
    usual = {name: change.usual for name, change in changes_of(env_id).items()}
    ours, plain = ClassicBatchedEnv(1, env_id, usual), ClassicBatchedEnv(1, env_id)
    assert ours._dynamics == plain._dynamics
    assert usual


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cartpole-balance+gravity", "is not a change.*gravity \\(usually 9.8\\)"),
        ("cartpole-balance+wind=3", "is not a change"),
        ("cartpole-balance+gravity=20+gravity=10", "each name once"),
        ("cartpole-balance+gravity=1.2.3", "is not a change"),
        ("cartpole-balance+gravity=1e9", "must be from 1 to 50"),
        ("cartpole-balance+length=-1", "must be from"),
        ("cartpole-balance+", "is not a change"),
        ("bipedalwalker-walk+gravity=3", "has no variants"),
        ("gym:Taxi-v4+gravity=3", "has no variants"),
        ("lunarlander-land+turbulence=2", "changes nothing without wind; add \\+wind="),
        ("lunarlander-land+turbulence=2+wind=0", "changes nothing without wind"),
        ("nonsense+gravity=3", "there is no task 'nonsense'"),
    ],
)
def test_what_cannot_be_changed_is_refused(name: str, says: str) -> None:
    with pytest.raises(TaskError, match=says):
        get_task(name)


@pytest.mark.parametrize("task", [task for task in list_tasks() if changes_of(task.env_id)], ids=str)
def test_a_world_can_change_under_a_run_where_its_states_can_be_set(task: Task) -> None:
    assert can_change_live(task.env_id) == (VectorStepper(task, 1, 0).sim_states is not None)
