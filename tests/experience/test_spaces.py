import gymnasium
import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.spaces import (
    action_space_of,
    flatten_observation,
    observation_size,
    to_env_actions,
    with_policy_actions,
)
from rlhf.experience.tasks import get_task, make_env
from rlhf.types.task import ActionSpace


def test_actions_are_mapped_linearly_and_clipped_first() -> None:
    low, high = np.array([-2.0, 0.0], np.float32), np.array([2.0, 10.0], np.float32)
    actions = np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0], [7.0, -7.0]], np.float32)
    expected = [[-2.0, 0.0], [0.0, 5.0], [2.0, 10.0], [2.0, 0.0]]
    np.testing.assert_allclose(to_env_actions(low, high, actions), expected)


def test_made_environments_take_actions_between_minus_one_and_one() -> None:
    env = make_env(get_task("pendulum-swingup"))
    env.reset(seed=0)
    env.step(np.array([0.5], np.float32))
    assert env.unwrapped.last_u == 1.0


def test_discrete_actions_count_from_zero() -> None:
    class Shifted(gymnasium.Env):  # type: ignore[misc]
        observation_space = gymnasium.spaces.Discrete(3)
        action_space = gymnasium.spaces.Discrete(2, start=5)

        def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, int]]:
            return 0, float(action), False, False, {}

    assert with_policy_actions(Shifted()).step(1)[1] == 6.0


def test_discrete_observations_become_one_hot() -> None:
    space = gymnasium.spaces.Discrete(4, start=1)
    assert observation_size(space) == 4
    assert flatten_observation(space, 3).tolist() == [0.0, 0.0, 1.0, 0.0]


def test_box_observations_are_flattened_to_float32() -> None:
    space = gymnasium.spaces.Box(0.0, 1.0, (2, 3), np.float64)
    flat = flatten_observation(space, np.ones((2, 3)))
    assert (flat.shape, flat.dtype, observation_size(space)) == ((6,), np.float32, 6)


def test_action_spaces_are_described() -> None:
    assert action_space_of(gymnasium.spaces.Discrete(3)) == ActionSpace("discrete", 3)
    assert action_space_of(gymnasium.spaces.Box(-2, 2, (2,))) == ActionSpace("continuous", 2)


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Box(-np.inf, np.inf, (2,)),
        gymnasium.spaces.Box(0, 5, (2,), np.int64),
        gymnasium.spaces.MultiDiscrete([2, 2]),
    ],
)
def test_unusable_action_spaces_are_refused(space: gymnasium.Space) -> None:
    with pytest.raises(TaskError, match="action space"):
        action_space_of(space)


@pytest.mark.parametrize("space", [gymnasium.spaces.Box(0, 255, (96, 96, 3)), gymnasium.spaces.Dict({})])
def test_unusable_observation_spaces_are_refused(space: gymnasium.Space) -> None:
    with pytest.raises(TaskError, match="observation space"):
        observation_size(space)
