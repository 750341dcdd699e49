import numpy as np
import pytest
from small_rewards import linear_reward

from rlhf.errors import ConfigError, ShapeError
from rlhf.reward.source import Source, match_features


def test_features_are_found_by_their_names() -> None:
    columns = match_features(("speed", "tilt", "absorbing"), ("height", "speed", "absorbing"))
    np.testing.assert_array_equal(columns, [1, -1, 2])


def test_a_task_in_which_nothing_of_it_is_seen_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing of that is observed here"):
        match_features(("speed", "absorbing"), ("angle", "absorbing"))


def test_an_outcome_alone_that_any_task_has_is_not_enough_either() -> None:
    theirs, ours = (
        (name, "absorbing", f"ending with {name}", "ending") for name in ("cart position", "height")
    )
    with pytest.raises(ConfigError, match="nothing of that is observed here"):
        match_features(theirs, ours)


def test_what_is_not_seen_here_counts_as_its_mean() -> None:
    model = linear_reward([2.0, 5.0], num_members=1)
    model.input_normaliser.mean[1] = 7.0
    source = Source(model=model, columns=np.array([2, -1]))
    np.testing.assert_allclose(source(np.array([[9.0, 9.0, 3.0]], np.float32)), [6.0])


def test_columns_must_be_of_all_the_sources_features() -> None:
    with pytest.raises(ShapeError, match=r"Source\.columns"):
        Source(model=linear_reward([1.0, 2.0]), columns=np.array([0]))
