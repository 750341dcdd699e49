"""A recorded episode is a segment like any other: it can be shown again, and gone on from."""

import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.recording import EpisodeRecorder, Start, act_out, start_within
from rlhf.experience.replay import restored_observations
from rlhf.experience.tasks import get_task
from rlhf.types.experience import Actions

TASKS = ["cartpole-balance", "pendulum-swingup", "lunarlander-land", "hopper-run"]


def record(name: str, num_steps: int, seed: int = 5) -> EpisodeRecorder:
    recorder = EpisodeRecorder(get_task(name), Start(reset_seed=seed))
    rng = np.random.default_rng(0)
    while recorder.num_steps < num_steps and recorder.steps_left:
        recorder.step(some_action(recorder, rng))
    return recorder


def some_action(recorder: EpisodeRecorder, rng: np.random.Generator) -> int | Actions:
    space = recorder.action_space
    if space.kind == "discrete":
        return int(rng.integers(space.size))
    return rng.uniform(-1, 1, space.size).astype(np.float32)


@pytest.mark.parametrize("name", TASKS)
def test_recording_shows_the_same_states_again(name: str) -> None:
    segment = record(name, 12).segment()
    np.testing.assert_allclose(
        restored_observations(get_task(name), segment), segment.observations, atol=1e-5
    )


@pytest.mark.parametrize("name", TASKS)
def test_taken_over_recording_goes_on_from_the_chosen_step(name: str) -> None:
    whole = record(name, 12)
    origin = whole.segment()
    taken = EpisodeRecorder(get_task(name), start_within(get_task(name), origin, 5))
    for action in origin.actions[5:]:
        taken.step(action)
    segment = taken.segment()
    np.testing.assert_allclose(segment.observations, origin.observations[5:], atol=1e-6)
    np.testing.assert_allclose(taken.true_rewards, whole.true_rewards[5:], atol=1e-6)
    assert (segment.replay.start, segment.replay.reset_seed) == (5, 5)


@pytest.mark.parametrize("name", TASKS)
def test_recording_that_was_taken_over_shows_the_same_states_again(name: str) -> None:
    task = get_task(name)
    taken = EpisodeRecorder(task, start_within(task, record(name, 12).segment(), 7))
    rng = np.random.default_rng(1)
    for _ in range(4):
        taken.step(some_action(taken, rng))
    segment = taken.segment()
    np.testing.assert_allclose(restored_observations(task, segment), segment.observations, atol=1e-5)


def test_a_recording_that_was_taken_over_can_be_taken_over() -> None:
    task = get_task("lunarlander-land")
    first = EpisodeRecorder(task, start_within(task, record(task.name, 12).segment(), 7))
    for _ in range(4):
        first.step(2)
    second = EpisodeRecorder(task, start_within(task, first.segment(), 2))
    second.step(2)
    second.step(2)
    np.testing.assert_array_equal(second.observation, first.observation)


def test_time_before_the_takeover_counts_towards_the_horizon() -> None:
    task = get_task("pendulum-swingup")
    taken = EpisodeRecorder(task, start_within(task, act_out(task, 0).segment(), 150))
    assert taken.steps_left == task.horizon - 150


def test_nothing_goes_on_after_the_end_of_an_episode() -> None:
    recorder = record("cartpole-balance", 500)
    assert recorder.terminated
    with pytest.raises(TaskError, match="over"):
        recorder.step(0)
    with pytest.raises(TaskError, match="cannot be taken over"):
        start_within(recorder.task, recorder.segment(), recorder.num_steps)


def test_begin_forgets_what_was_recorded() -> None:
    recorder = record("cartpole-balance", 5)
    recorder.begin(recorder.start)
    assert recorder.num_steps == 0
    with pytest.raises(TaskError, match="nothing was recorded"):
        recorder.segment()


def test_middle_of_a_mujoco_episode_without_its_actions_is_refused() -> None:
    task = get_task("hopper-run")
    taken = EpisodeRecorder(task, start_within(task, record(task.name, 6).segment(), 3))
    taken.step(np.zeros(3, np.float32))
    taken.step(np.zeros(3, np.float32))
    with pytest.raises(TaskError, match="whole episode"):
        start_within(task, taken.segment(), 1)
