import numpy as np
import pytest

from rlhf.experience.mujoco_batch import MujocoBatchedEnv
from rlhf.experience.tasks import get_task, list_tasks, make_env
from rlhf.experience.true_rewards import MUJOCO_TRUE_REWARDS, MujocoStep, backflip
from rlhf.types.hopper import TORSO_ANGLE, TORSO_TURNING, observe_turning


def test_every_mujoco_preset_has_its_own_reward() -> None:
    mujoco = {
        t.name for t in list_tasks() if t.env_id.startswith(("Hop", "Tumbl", "Half", "Walker", "Swim", "Ant"))
    }
    assert {name for name in MUJOCO_TRUE_REWARDS if not name.startswith("gym:")} == mujoco


@pytest.mark.parametrize(("name", "with_height"), [("hopper-run", True), ("halfcheetah-run", False)])
def test_running_is_paid_by_forward_velocity_and_height(name: str, with_height: bool) -> None:
    task = get_task(name)
    ours, theirs = MujocoBatchedEnv(task, 1), make_env(task)
    ours.reset(np.array([0]), np.array([3]))
    theirs.reset(seed=3)
    action = np.full(ours.action_space.size, 0.7, np.float32)
    for _ in range(20):
        observations, rewards, _, _ = ours.step(action[None])
        info = theirs.step(action)[4]
        expected = info["x_velocity"] + (observations[0, 0] if with_height else 0.0)
        np.testing.assert_allclose(rewards[0], expected, rtol=1e-6)
    ours.close()


def flip(height: float, turning: float, angle: float = 0.0) -> float:
    """Of a straight hopper; its head, or the toe of its level foot, is lowest."""
    state = np.zeros((1, 11))
    state[0, [0, TORSO_ANGLE, TORSO_TURNING]] = [height, angle, turning]
    state[0, 4] = angle
    step = MujocoStep(
        velocity=np.zeros(1),
        observations=observe_turning(state),
        controls=np.zeros((1, 3), np.float32),
        healthy=np.ones(1, np.bool_),
        contact_forces=None,
    )
    return float(backflip(step)[0])


STANDING = 1.21
"""A level foot is 6 cm below the ankle, and that 1.15 m below the torso's middle."""


def test_backflip_reward_worked_by_hand() -> None:
    assert flip(STANDING + 0.5, -5.0) == pytest.approx((5.0 * 0.4 - 2.0) * 0.5)
    assert flip(0.25 + 0.5, -5.0, np.pi) == pytest.approx((5.0 * 0.4 + 2.0) * 0.5)


def test_turning_on_the_ground_earns_nothing() -> None:
    assert flip(0.25, -10.0, np.pi) == pytest.approx(flip(0.25, 0.0, np.pi))


def test_standing_earns_nothing_and_tilting_on_the_ground_costs() -> None:
    assert flip(STANDING, 0.0) == pytest.approx(0.0)
    assert flip(0.25, 0.0, np.pi) == pytest.approx(-8.0)


def test_rocking_to_and_fro_earns_no_more_than_standing() -> None:
    assert flip(2.0, -5.0) + flip(2.0, 5.0) == pytest.approx(2 * flip(2.0, 0.0))
    assert flip(2.0, 0.0) < 0.0
