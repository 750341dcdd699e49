import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from rlhf.config import PROJECT_ROOT
from rlhf.errors import TaskError
from rlhf.experience.spaces import action_space_of
from rlhf.experience.tasks import get_task, list_tasks, make_env, spaces_of
from rlhf.types.task import Task

PRESET_NAMES = [
    "cartpole-balance",
    "pendulum-swingup",
    "mountaincar-climb",
    "acrobot-swingup",
    "lunarlander-land",
    "bipedalwalker-walk",
    "hopper-run",
    "hopper-backflip",
    "walker2d-run",
    "halfcheetah-run",
    "swimmer-run",
    "ant-run",
]


class Unrenderable(gymnasium.Env):  # type: ignore[misc]
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)


def test_all_presets_are_listed() -> None:
    assert [task.name for task in list_tasks()] == PRESET_NAMES


@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.name)
def test_feature_names_fit_the_observation(task: Task) -> None:
    assert len(task.feature_names) == len(set(task.feature_names)) == spaces_of(task)[0]


def test_features_have_units() -> None:
    units = {
        task.name: dict(zip(task.feature_names, task.feature_units, strict=True)) for task in list_tasks()
    }
    walker = units["walker2d-run"]
    assert [walker[name] for name in ("height", "torso angle", "forward velocity")] == ["m", "rad", "m/s"]
    assert walker["left foot angular velocity"] == "rad/s"
    assert units["pendulum-swingup"]["cosine of angle"] == ""
    lander = units["lunarlander-land"]  # lengths and speeds are shares of the screen there
    assert [lander[name] for name in ("height", "vertical velocity", "angle")] == ["", "", "rad"]


@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.name)
def test_clips_of_presets_last_between_one_and_a_half_and_three_and_a_half_seconds(task: Task) -> None:
    frames = task.segment_steps // task.frame_skip + 1
    assert 1.5 <= frames / task.playback_fps <= 3.5


def test_environments_have_no_time_limit() -> None:
    env = make_env(get_task("pendulum-swingup"))
    env.reset(seed=0)
    assert not any(env.step(np.zeros(1, np.float32))[3] for _ in range(300))


@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.name)
def test_episodes_end_early_only_where_a_task_says_so(task: Task) -> None:
    env, rng = make_env(task), np.random.default_rng(0)
    space = action_space_of(env.action_space)
    _, ended = env.reset(seed=0), False
    for _ in range(task.horizon):
        at_random = rng.uniform(-1.0, 1.0, space.size).astype(np.float32)
        # pushing one way fells whatever can fall
        ended = env.step(np.abs(at_random) if space.kind == "continuous" else 0)[2]
        if ended:
            break
    needs_skill = ("mountaincar-climb", "acrobot-swingup")
    assert ended == (task.ends_early and task.name not in needs_skill)


def test_any_registered_environment_is_a_task() -> None:
    task = get_task("gym:MountainCarContinuous-v0")
    assert (task.env_id, task.horizon, task.playback_fps) == ("MountainCarContinuous-v0", 999, 30.0)
    assert spaces_of(task)[1].kind == "continuous"


def test_fast_simulations_skip_frames() -> None:
    task = get_task("gym:Hopper-v5")
    assert (task.frame_skip, task.playback_fps) == (4, 31.25)


def test_a_standard_environment_takes_the_settings_of_its_preset() -> None:
    assert get_task("gym:Pendulum-v1").overrides == get_task("pendulum-swingup").overrides
    assert get_task("gym:MountainCarContinuous-v0").overrides == {}


def test_a_module_can_be_named() -> None:
    assert get_task("gym:gymnasium.envs.classic_control:CartPole-v1").horizon == 500


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hopper-runn", "hopper-run"),
        ("gym:CartPole-v", "CartPole"),
        ("gym:no_such_module:Env-v0", "cannot be imported"),
        ("gym:no such module:Env-v0", "not a module name"),
        ("gym:Blackjack-v1", "observation space"),
        ("gym:CarRacing-v3", "without images"),
    ],
)
def test_unusable_names_say_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        get_task(name)


@pytest.mark.parametrize("body", ["raise SystemExit(3)", "1 / 0", "def broken("])
def test_module_that_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    (tmp_path / "broken_for_test.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TaskError, match="cannot be imported"):
        get_task("gym:broken_for_test:Env-v0")


def test_environments_that_cannot_be_shown_are_refused() -> None:
    gymnasium.register("UnrenderableForTest-v0", entry_point=Unrenderable)
    try:
        with pytest.raises(TaskError, match="rgb_array"):
            get_task("gym:UnrenderableForTest-v0")
    finally:
        gymnasium.registry.pop("UnrenderableForTest-v0")


def test_mujoco_leaves_no_log_file_behind(tmp_path: Path) -> None:
    program = "from rlhf.experience.tasks import get_task, make_env; make_env(get_task('halfcheetah-run'))"
    environment = {"PYTHONPATH": str(PROJECT_ROOT)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_stepping_needs_no_torch_and_no_graphics_library() -> None:
    program = (
        "import sys, numpy as np; from rlhf.experience.vector import VectorStepper\n"
        "from rlhf.experience.tasks import get_task\n"
        "VectorStepper(get_task('hopper-run'), 2, 0).step(np.zeros((2, 3), np.float32))\n"
        "print([m for m in ('torch', 'OpenGL', 'pygame') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
