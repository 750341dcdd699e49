import pytest

from rlhf.config import from_dict, override, to_dict
from rlhf.errors import ConfigError
from rlhf.reward.config import RewardConfig


def test_settings_survive_being_written_down() -> None:
    config = RewardConfig(hidden=(32,), model_class="linear", crop_fraction=(0.5, 0.6))
    assert from_dict(RewardConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_members", 0),
        ("noise", 1.0),
        ("weight_decays", "-1"),
        ("hidden", "0"),
        ("reselect_growth", -0.1),
        ("crop_fraction", "0.9,0.7"),
        ("batch_size", 0),
        ("pessimism", -1.0),
        ("relevance_passes", -1),
        ("model_class", "forest"),
        ("bootstrap", False),
    ],
)
def test_values_that_cannot_work_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        override(RewardConfig(), {name: value})
