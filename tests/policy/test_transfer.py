"""What fits is taken over exactly; what does not starts anew, and is never frozen."""

from typing import Any

import numpy as np
import pytest

from rlhf.errors import CheckpointError, ConfigError
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.policy.transfer import new_layers, start_from, widths_of
from rlhf.types.task import ActionSpace

THREE, TWO = ActionSpace("discrete", 3), ActionSpace("continuous", 2)


def make(observation_dim: int, space: ActionSpace, seed: int, hidden: tuple[int, ...] = (8, 6)) -> PPO:
    rng = np.random.default_rng(seed)
    policy = PPO(PPOConfig(hidden=hidden), observation_dim, space, rng)
    state = policy.state_dict()
    seen = rng.uniform(0.5, 3.0, (2, observation_dim))
    policy.load_state_dict(
        state | {"observations.mean": seen[0], "observations.variance": seen[1], "observations.count": 9}
    )
    return policy


def taken(source: PPO, target: PPO, space: ActionSpace) -> dict[str, Any]:
    own = target.policy_arrays()
    target.load_state_dict(
        start_from(target.state_dict(), own, source.policy_arrays(), space, num_observed=50)
    )
    return target.policy_arrays()


def test_the_same_spaces_give_the_same_policy_bit_for_bit() -> None:
    for space in (THREE, TWO):
        source = make(4, space, seed=0)
        arrays = taken(source, make(4, space, seed=1), space)
        for name, array in source.policy_arrays().items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("dim", "space", "new"),
    [
        (4, THREE, set()),
        (5, THREE, {0}),
        (4, TWO, {2}),
        (4, ActionSpace("continuous", 3), {2}),
        (2, ActionSpace("discrete", 4), {0, 2}),
    ],
)
def test_layers_that_do_not_fit_are_the_targets_own(dim: int, space: ActionSpace, new: set[int]) -> None:
    source, target = make(4, THREE, seed=0), make(dim, space, seed=1)
    theirs, own = source.policy_arrays(), target.policy_arrays()
    assert new_layers(theirs, dim, space) == new
    arrays = taken(source, target, space)
    for layer in range(3):
        expected = own if layer in new else theirs
        np.testing.assert_array_equal(arrays[f"weight_{layer}"], expected[f"weight_{layer}"])
    scale = own if 0 in new else theirs
    np.testing.assert_array_equal(arrays["observation_scale"], scale["observation_scale"])


def test_the_scale_that_was_taken_over_weighs_what_it_is_told() -> None:
    target = make(4, THREE, seed=1)
    taken(make(4, THREE, seed=0), target, THREE)
    assert target.state_dict()["observations.count"] == 50


def test_other_hidden_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"ppo\.hidden"):
        taken(make(4, THREE, seed=0), make(4, THREE, seed=1, hidden=(8, 8)), THREE)


def test_arrays_of_something_else_are_no_policy() -> None:
    with pytest.raises(CheckpointError, match="observations are no policy"):
        widths_of({"observations": np.zeros(3)})
