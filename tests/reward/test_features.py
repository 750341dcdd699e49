import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.reward.features import (
    feature_names,
    feature_units,
    num_features,
    segment_features,
    transition_features,
)
from rlhf.types.experience import Replay, Segment
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 2), ActionSpace("discrete", 3)


def test_columns_are_state_change_action_and_flag() -> None:
    features = transition_features(
        np.array([[1.0, 2.0]], np.float32),
        np.array([[0.5, -0.5]], np.float32),
        np.array([[1.5, 1.0]], np.float32),
        np.array([False]),
        action_space=CONTINUOUS,
        use_actions=True,
    )
    assert features.tolist() == [[1.0, 2.0, 0.5, -1.0, 0.5, -0.5, 0.0]]
    assert features.dtype == np.float32


def test_discrete_actions_are_one_hot() -> None:
    zeros = np.zeros((2, 1), np.float32)
    features = transition_features(
        zeros, np.array([2, 0]), zeros, np.zeros(2, np.bool_), action_space=DISCRETE, use_actions=True
    )
    assert features[:, 2:5].tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_nothing_happens_in_absorbing_steps() -> None:
    features = transition_features(
        np.array([[1.0]], np.float32),
        np.array([1]),
        np.array([[9.0]], np.float32),
        np.array([True]),
        action_space=DISCRETE,
        use_actions=True,
    )
    assert features.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]]


def test_leading_axes_are_kept() -> None:
    rng = np.random.default_rng(0)
    observations, following = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    actions = rng.integers(0, 3, (4, 3))
    absorbing = rng.random((4, 3)) < 0.5
    both = {"action_space": DISCRETE, "use_actions": True}
    whole = transition_features(observations, actions, following, absorbing, **both)
    assert whole.shape == (4, 3, num_features(5, **both))
    one = transition_features(observations[2], actions[2], following[2], absorbing[2], **both)
    np.testing.assert_array_equal(whole[2], one)


def test_a_segment_gives_one_row_per_step() -> None:
    segment = Segment(
        observations=np.array([[0.0], [1.0], [3.0], [3.0]], np.float32),
        actions=np.zeros((3, 2), np.float32),
        absorbing=np.array([False, False, True]),
        policy_version=0,
        replay=Replay(reset_seed=0, start=0, sim_states=np.zeros((4, 1))),
    )
    features = segment_features(segment, action_space=CONTINUOUS, use_actions=False)
    assert features.tolist() == [[0.0, 1.0, 0.0], [1.0, 2.0, 0.0], [3.0, 0.0, 1.0]]


@pytest.mark.parametrize("space", [CONTINUOUS, DISCRETE])
@pytest.mark.parametrize("use_actions", [False, True])
def test_every_column_has_a_name_and_a_unit(space: ActionSpace, use_actions: bool) -> None:
    names = feature_names(["x", "speed"], action_space=space, use_actions=use_actions)
    assert len(set(names)) == num_features(2, action_space=space, use_actions=use_actions)
    assert names[:4] == ("x", "speed", "change of x", "change of speed")
    assert names[-1] == "absorbing"
    units = feature_units(["m", "m/s"], action_space=space, use_actions=use_actions)
    assert len(units) == len(names)
    assert units[:4] == ("m", "m/s", "m", "m/s")


def test_an_action_out_of_range_is_refused() -> None:
    zeros = np.zeros((1, 1), np.float32)
    with pytest.raises(ShapeError, match="0 to 2"):
        transition_features(
            zeros, np.array([3]), zeros, np.zeros(1, np.bool_), action_space=DISCRETE, use_actions=True
        )
