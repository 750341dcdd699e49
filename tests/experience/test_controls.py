import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.controls import controls_of
from rlhf.experience.recording import EpisodeRecorder, Start
from rlhf.experience.tasks import get_task, list_tasks, spaces_of
from rlhf.types.task import ActionSpace

BY_HAND = [
    "cartpole-balance",
    "pendulum-swingup",
    "mountaincar-climb",
    "acrobot-swingup",
    "lunarlander-land",
    "hopper-run",
    "hopper-backflip",
    "swimmer-run",
]


@pytest.mark.parametrize("name", BY_HAND)
def test_every_control_is_an_action_of_its_environment(name: str) -> None:
    task = get_task(name)
    _, space = spaces_of(task)
    controls = controls_of(task, space)
    assert len({control.key for control in controls.controls}) == len(controls.controls)
    for held in ([], *([index] for index in range(len(controls.controls)))):
        for step in range(3):
            action = controls.action(held, step)
            if space.kind == "discrete":
                assert isinstance(action, int)
                assert 0 <= action < space.size
            else:
                assert np.shape(action) == (space.size,)


def test_bodies_with_too_many_joints_are_refused() -> None:
    others = [task for task in list_tasks() if task.name not in BY_HAND]
    for task in others:
        with pytest.raises(TaskError, match="joints"):
            controls_of(task, spaces_of(task)[1])


def test_unknown_environments_get_a_key_per_action_or_two_per_joint() -> None:
    task = get_task("gym:MountainCarContinuous-v0")
    assert [c.key for c in controls_of(task, ActionSpace("continuous", 1)).controls] == [
        "ArrowLeft",
        "ArrowRight",
    ]
    assert [c.key for c in controls_of(task, ActionSpace("discrete", 3)).controls] == ["1", "2", "3"]
    with pytest.raises(TaskError, match="10 actions"):
        controls_of(task, ActionSpace("discrete", 10))


def test_last_of_several_discrete_actions_counts_and_continuous_ones_add_up() -> None:
    lander, swimmer = get_task("lunarlander-land"), get_task("swimmer-run")
    assert controls_of(lander, ActionSpace("discrete", 4)).action([0, 1], 0) == 2
    joints = controls_of(swimmer, ActionSpace("continuous", 2))
    np.testing.assert_array_equal(joints.action([0, 3], 0), np.array([-1, 1], np.float32))
    np.testing.assert_array_equal(joints.action([0, 1], 0), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("name", "left", "right", "sideways"),
    [
        ("cartpole-balance", 0, 1, lambda o: o[1]),
        ("mountaincar-climb", 0, 1, lambda o: o[1]),
        ("lunarlander-land", 0, 2, lambda o: -o[4]),  # a positive angle leans to the left
        ("pendulum-swingup", 0, 1, lambda o: -o[2]),  # counter-clockwise is positive
    ],
)
def test_left_is_left_of_right(name: str, left: int, right: int, sideways: object) -> None:
    task = get_task(name)
    seen = []
    for index in (left, right):
        recorder = EpisodeRecorder(task, Start(reset_seed=0))
        controls = controls_of(task, recorder.action_space)
        for step in range(5):
            recorder.step(controls.action([index], step))
        seen.append(sideways(recorder.observation))  # type: ignore[operator]
        recorder.close()
    assert seen[0] < seen[1]
