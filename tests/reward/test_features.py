import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.reward.features import RewardInputs
from rlhf.types.experience import Replay, Segment
from rlhf.types.task import ActionSpace

CONTINUOUS, DISCRETE = ActionSpace("continuous", 2), ActionSpace("discrete", 3)


def segment_that_ends() -> Segment:
    return Segment(
        observations=np.array([[0.0], [1.0], [3.0], [3.0], [3.0]], np.float32),
        actions=np.full((4, 2), 0.5, np.float32),
        absorbing=np.array([False, False, True, True]),
        policy_version=0,
        replay=Replay(reset_seed=0, start=0, sim_states=np.zeros((5, 1))),
    )


def test_columns_are_state_change_action_and_flag() -> None:
    features = RewardInputs(action_space=CONTINUOUS, use_actions=True).steps(
        np.array([[1.0, 2.0]], np.float32),
        np.array([[0.5, -0.5]], np.float32),
        np.array([[1.5, 1.0]], np.float32),
    )
    assert features.tolist() == [[1.0, 2.0, 0.5, -1.0, 0.5, -0.5, 0.0]]
    assert features.dtype == np.float32


def test_discrete_actions_are_one_hot() -> None:
    zeros = np.zeros((2, 1), np.float32)
    features = RewardInputs(action_space=DISCRETE, use_actions=True).steps(zeros, np.array([2, 0]), zeros)
    assert features[:, 2:5].tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_nothing_happens_in_absorbing_steps() -> None:
    inputs = RewardInputs(action_space=DISCRETE, use_actions=True)
    features = inputs.absorbing(np.array([[1.0]], np.float32), ending=True)
    assert features.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]]


def test_an_outcome_is_seen_once_and_alone() -> None:
    inputs = RewardInputs(action_space=CONTINUOUS, use_endings=True)
    last = np.array([[3.0]], np.float32)
    assert inputs.absorbing(last, ending=True).tolist() == [[0.0, 0.0, 1.0, 3.0, 1.0]]
    assert inputs.absorbing(last, ending=False).tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0]]
    assert inputs.segment(segment_that_ends()).tolist() == [
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [1.0, 2.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 3.0, 1.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
    ]


def test_leading_axes_are_kept() -> None:
    rng = np.random.default_rng(0)
    observations, following = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    actions = rng.integers(0, 3, (4, 3))
    inputs = RewardInputs(action_space=DISCRETE, use_actions=True, use_endings=True)
    whole = inputs.steps(observations, actions, following)
    assert whole.shape == (4, 3, inputs.num(5))
    np.testing.assert_array_equal(whole[2], inputs.steps(observations[2], actions[2], following[2]))
    after = inputs.absorbing(observations, ending=True)
    np.testing.assert_array_equal(after[2], inputs.absorbing(observations[2], ending=True))


def test_a_segment_gives_one_row_per_step() -> None:
    features = RewardInputs(action_space=CONTINUOUS).segment(segment_that_ends())
    assert features.tolist() == [[0.0, 1.0, 0.0], [1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [3.0, 0.0, 1.0]]


def test_at_rest_being_over_is_a_state_like_any_other() -> None:
    inputs = RewardInputs(action_space=CONTINUOUS, rest=(7.0,))
    assert inputs.segment(segment_that_ends()).tolist() == [
        [0.0, 1.0, 0.0],
        [1.0, 2.0, 0.0],
        [7.0, 0.0, 0.0],
        [7.0, 0.0, 0.0],
    ]
    last, rest = np.array([[3.0]], np.float32), np.array([[7.0]], np.float32)
    standing = inputs.steps(rest, np.zeros((1, 2), np.float32), rest)
    for ending in (False, True):
        np.testing.assert_array_equal(inputs.absorbing(last, ending=ending), standing)


def test_a_rest_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="rest"):
        RewardInputs(action_space=CONTINUOUS, rest=(7.0, 1.0)).segment(segment_that_ends())


def test_actions_of_absorbing_steps_do_not_count() -> None:
    features = RewardInputs(action_space=CONTINUOUS, use_actions=True).segment(segment_that_ends())
    assert features[:, 2:4].tolist() == [[0.5, 0.5], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("space", [CONTINUOUS, DISCRETE])
@pytest.mark.parametrize("use_actions", [False, True])
@pytest.mark.parametrize("use_endings", [False, True])
@pytest.mark.parametrize("use_changes", [False, True])
def test_every_column_has_a_name_and_a_unit(
    space: ActionSpace, use_actions: bool, use_endings: bool, use_changes: bool
) -> None:
    inputs = RewardInputs(
        action_space=space, use_actions=use_actions, use_endings=use_endings, use_changes=use_changes
    )
    names = inputs.names(["x", "speed"])
    assert len(set(names)) == len(names) == inputs.num(2)
    seen = ("x", "speed", "change of x", "change of speed")[: 2 + 2 * use_changes]
    assert names[: len(seen)] == seen
    assert ("change of x" in names) == use_changes
    last = np.zeros((1, 2), np.float32)
    assert inputs.absorbing(last, ending=True).shape == (1, len(names))
    endings = ("ending with x", "ending with speed", "ending") if use_endings else ()
    assert names[names.index("absorbing") :] == ("absorbing", *endings)
    units = inputs.units(["m", "m/s"])
    assert len(units) == len(names)
    assert units[: len(seen)] == ("m", "m/s", "m", "m/s")[: len(seen)]


def test_an_action_out_of_range_is_refused() -> None:
    zeros = np.zeros((1, 1), np.float32)
    with pytest.raises(ShapeError, match="0 to 2"):
        RewardInputs(action_space=DISCRETE, use_actions=True).steps(zeros, np.array([3]), zeros)
