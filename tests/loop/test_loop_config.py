import pytest

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve

TASK = get_task("pendulum-swingup")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule.total_steps", "0"),
        ("schedule.labels", "-1"),
        ("schedule.initial_share", "1.5"),
        ("schedule.labels_end", "nan"),
        ("collect.num_envs", "0"),
        ("keep.policies", "0"),
        ("keep.checkpoint_s", "-1"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        resolve(TASK, {name: value})


def test_settings_of_the_run_come_after_those_of_the_task() -> None:
    assert resolve(TASK, {}).ppo.discount == TASK.overrides["ppo.discount"]
    assert resolve(TASK, {"ppo.discount": 0.5}).ppo.discount == 0.5


def test_a_learned_reward_is_followed_no_further_than_its_bound() -> None:
    far = resolve(TASK, {"ppo.discount": 0.999, "improve.max_discount": 0.98})
    assert (far.ppo.discount, far.following.discount) == (0.999, 0.98)
    near = resolve(TASK, {"ppo.discount": 0.9, "improve.max_discount": 0.98})
    assert near.following == near.ppo
    with pytest.raises(ConfigError, match="max_discount"):
        resolve(TASK, {"improve.max_discount": 1.1})
