import io

import numpy as np
import pytest

from rlhf.errors import CheckpointError
from rlhf.experience.backends import make_batched_env
from rlhf.experience.classic import ClassicBatchedEnv
from rlhf.experience.gymnasium_batch import GymnasiumBatchedEnv
from rlhf.experience.mujoco_batch import MujocoBatchedEnv
from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.tasks import get_task, make_env
from rlhf.experience.vector import State, StepResult, VectorStepper
from rlhf.seeding import episode_seed


def run(stepper: VectorStepper, num_steps: int, rng: np.random.Generator) -> list[StepResult]:
    policy = UniformRandomPolicy(stepper.action_space)
    return [stepper.step(policy.act(stepper.observations, rng)[0]) for _ in range(num_steps)]


def through_npz(state: State) -> State:
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return dict(np.load(file, allow_pickle=False))


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("cartpole-balance", ClassicBatchedEnv),
        ("hopper-backflip", MujocoBatchedEnv),
        ("lunarlander-land", GymnasiumBatchedEnv),
        ("gym:Hopper-v5", MujocoBatchedEnv),
        ("gym:CartPole-v1", ClassicBatchedEnv),
        ("gym:InvertedPendulum-v5", GymnasiumBatchedEnv),
    ],
)
def test_each_task_takes_its_fastest_path(name: str, backend: type) -> None:
    assert isinstance(make_batched_env(get_task(name), 1), backend)


def test_the_horizon_truncates_and_resets() -> None:
    stepper = VectorStepper(get_task("pendulum-swingup"), 2, seed=0)
    results = run(stepper, 201, np.random.default_rng(0))
    truncated = np.array([r.truncated for r in results])
    assert np.flatnonzero(truncated.all(axis=1)).tolist() == [199]
    assert not np.array([r.terminated for r in results]).any()
    assert (stepper.elapsed.tolist(), stepper.episode_indices.tolist()) == ([1, 1], [1, 1])


def test_the_last_observation_of_an_episode_is_kept_apart_from_the_first_of_the_next() -> None:
    task = get_task("cartpole-balance")
    stepper = VectorStepper(task, 1, seed=3)
    while not (result := stepper.step(np.array([1]))).terminated[0]:
        np.testing.assert_array_equal(result.observations, result.next_observations)
    assert abs(result.next_observations[0, 2]) > 0.2
    first, _ = make_env(task).reset(seed=episode_seed(3, 0, 1))
    np.testing.assert_array_equal(result.observations[0], first)


def test_termination_on_the_last_step_is_not_a_truncation() -> None:
    task = get_task("cartpole-balance")
    stepper = VectorStepper(task, 1, seed=3)
    num_steps = 1
    while not stepper.step(np.array([1])).terminated[0]:
        num_steps += 1
    stepper = VectorStepper(task, 1, seed=3)
    stepper.limits[:] = num_steps
    result = [stepper.step(np.array([1])) for _ in range(num_steps)][-1]
    assert (result.terminated[0], result.truncated[0]) == (True, False)


def test_continuous_actions_are_clipped() -> None:
    stepper = VectorStepper(get_task("pendulum-swingup"), 1, seed=0)
    assert stepper.step(np.array([[5.0]], np.float32)).applied_actions.tolist() == [[1.0]]


def test_staggered_first_episodes_end_one_after_the_other() -> None:
    stepper = VectorStepper(get_task("pendulum-swingup"), 4, seed=0, stagger=True)
    truncated = np.array([r.truncated for r in run(stepper, 300, np.random.default_rng(0))])
    ends = [np.flatnonzero(column).tolist() for column in truncated.T]
    assert ends == [[49, 249], [99, 299], [149], [199]]


def test_equal_seeds_give_equal_steps_and_others_do_not() -> None:
    task = get_task("acrobot-swingup")
    final = [
        run(VectorStepper(task, 2, seed=s), 30, np.random.default_rng(0))[-1].observations for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(final[0], final[1])
    assert not np.array_equal(final[0], final[2])


@pytest.mark.parametrize(
    "name",
    [
        "cartpole-balance",
        "pendulum-swingup",
        "halfcheetah-run",
        "ant-run",
        "lunarlander-land",
        "bipedalwalker-walk",
    ],
)
def test_a_restored_stepper_continues_bit_for_bit(name: str) -> None:
    task = get_task(name)
    stepper, rng = VectorStepper(task, 3, seed=5), np.random.default_rng(0)
    run(stepper, 150, rng)
    other = VectorStepper(task, 3, seed=99)
    other.load_state_dict(through_npz(stepper.state_dict()))
    state = rng.bit_generator.state
    expected = run(stepper, 120, rng)
    rng.bit_generator.state = state
    for left, right in zip(expected, run(other, 120, rng), strict=True):
        np.testing.assert_array_equal(left.observations, right.observations)
        np.testing.assert_array_equal(left.true_rewards, right.true_rewards)
        np.testing.assert_array_equal(left.terminated, right.terminated)
        if left.next_sim_states is not None:
            np.testing.assert_array_equal(left.next_sim_states, right.next_sim_states)
    stepper.close()
    other.close()


def test_a_state_of_another_size_is_refused() -> None:
    task = get_task("cartpole-balance")
    with pytest.raises(CheckpointError, match="number of environments"):
        VectorStepper(task, 2, seed=0).load_state_dict(VectorStepper(task, 3, seed=0).state_dict())
