from collections.abc import Iterator

import numpy as np
import pytest

from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.sharded import ShardedBatchedEnv, make_sharded_env
from rlhf.experience.tasks import get_task
from rlhf.experience.vector import StepResult, VectorStepper


def play(stepper: VectorStepper, num_steps: int) -> Iterator[StepResult]:
    policy, rng = UniformRandomPolicy(stepper.action_space), np.random.default_rng(0)
    for _ in range(num_steps):
        yield stepper.step(policy.act(stepper.observations, rng)[0])


@pytest.mark.parametrize("name", ["gym:Hopper-v5", "gym:LunarLander-v3"])
def test_steps_and_resets_equal_those_of_one_process(name: str) -> None:
    task = get_task(name)
    one, three = VectorStepper(task, 5, 0), VectorStepper(task, 5, 0, processes=3)
    assert isinstance(three.env, ShardedBatchedEnv)
    num_ended = 0
    for expected, got in zip(play(one, 150), play(three, 150), strict=True):
        for field in ("observations", "next_observations", "true_rewards", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(got, field), getattr(expected, field), field)
        if expected.next_sim_states is not None:
            np.testing.assert_array_equal(got.next_sim_states, expected.next_sim_states)
        num_ended += int(expected.terminated.sum())
    assert num_ended >= 5
    three.close()


def test_a_stepper_is_restored_with_another_number_of_processes() -> None:
    task = get_task("hopper-run")
    two, one = VectorStepper(task, 3, 0, processes=2), VectorStepper(task, 3, 9)
    list(play(two, 30))
    one.load_state_dict(two.state_dict())
    actions = np.zeros((3, 3), np.float32)
    np.testing.assert_array_equal(one.step(actions).observations, two.step(actions).observations)
    again = VectorStepper(task, 3, 5, processes=2)
    again.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(again.step(actions).observations, one.step(actions).observations)
    two.close()
    again.close()


@pytest.mark.parametrize(("name", "processes"), [("cartpole-balance", 2), ("hopper-run", 1)])
def test_nothing_is_divided_where_that_gains_nothing(name: str, processes: int) -> None:
    assert not isinstance(make_sharded_env(get_task(name), 4, processes), ShardedBatchedEnv)
