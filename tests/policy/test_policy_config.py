import pytest

from rlhf.config import from_dict, override, to_dict
from rlhf.errors import ConfigError
from rlhf.policy.config import PPOConfig


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("discount", "1.0"),
        ("gae_lambda", "1.5"),
        ("minibatch_size", "0"),
        ("learning_rate", "0"),
        ("target_kl", "-1"),
        ("hidden", ""),
    ],
)
def test_values_that_cannot_work_are_refused(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        override(PPOConfig(), {setting: value})


def test_settings_typed_on_a_command_line_arrive() -> None:
    config = override(PPOConfig(), {"hidden": "32,16", "target_kl": "none", "discount": "0.9"})
    assert (config.hidden, config.target_kl, config.discount) == ((32, 16), None, 0.9)


def test_a_configuration_survives_being_stored() -> None:
    config = PPOConfig(hidden=(8,), learning_rate=1e-3)
    assert from_dict(PPOConfig, to_dict(config)) == config
