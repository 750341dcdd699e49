"""Postures made by hand (a straight body), what trained policies did, and MuJoCo's own contacts."""

from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.evaluation.backflips import backflip_landings, count_backflips
from rlhf.experience.tasks import get_task, make_env
from rlhf.types.hopper import CLEARANCE, STEP_S, lowest_points, observe_turning, posture_of

ROLLOUTS = Path(__file__).parent / "assets" / "hopper_rollouts.npz"
STANDING, HIGH = 1.205, 2.0
"""Height of a straight upright body whose foot just touches the ground, and of one that touches nothing."""
TURN = 2 * np.pi


def postures(*parts: tuple[float, np.ndarray]) -> np.ndarray:
    """Observations of a straight body, from parts of (height, angles)."""
    steps = [(height, angle) for height, angles in parts for angle in np.atleast_1d(angles)]
    states = np.zeros((len(steps), 11))
    states[:, :2] = steps
    return observe_turning(states).astype(np.float32)


def stand(angle: float = 0.0, height: float = STANDING) -> tuple[float, np.ndarray]:
    return height, np.full(5, angle)


def fly(start: float, end: float) -> tuple[float, np.ndarray]:
    return HIGH, np.linspace(start, end, 40)


def test_a_backflip_is_counted_where_it_lands() -> None:
    assert backflip_landings(postures(stand(), fly(0, -TURN), stand(-TURN))).tolist() == [45]


def test_every_backflip_is_counted() -> None:
    twice = postures(stand(), fly(0, -TURN), stand(-TURN), fly(-TURN, -2 * TURN), stand(-2 * TURN))
    assert count_backflips(twice) == 2


def test_landing_a_little_tilted_is_upright() -> None:
    # the foot of a leaning straight body touches at a lower height
    leaning = stand(-TURN + 0.5, height=1.07)
    assert count_backflips(postures(stand(), fly(0, -TURN + 0.5), leaning)) == 1


def kneel(steps: int) -> np.ndarray:
    """A knee on the ground and the foot above it, the torso upright, one turn on."""
    kneeling = postures((0.7, np.full(steps, -TURN)))
    kneeling[:, 2:5] = [0.0, -2.2, 0.8]
    body, foot = lowest_points(posture_of(kneeling))
    assert (body < 0.01).all()
    assert (foot > 0.02).all()
    return kneeling


@pytest.mark.parametrize(("steps", "counted"), [(10, 1), (40, 0)])
def test_a_knee_may_touch_first_if_the_hopper_stands_up_at_once(steps: int, counted: int) -> None:
    flip = [postures(stand(), fly(0, -TURN)), kneel(steps), postures(stand(-TURN))]
    assert count_backflips(np.concatenate(flip)) == counted


NOT_BACKFLIPS = {
    "a forward flip": [stand(), fly(0, TURN), stand(TURN)],
    "a hop": [stand(), fly(0, 0), stand()],
    "over and back": [stand(), fly(0, -4), fly(-4, 0), stand()],
    "landing on the head": [stand(), fly(0, -np.pi - 0.1), stand(-np.pi - 0.1, height=0.25)],
    "falling over after the landing": [
        stand(),
        fly(0, -TURN + 0.9),
        stand(-TURN + 1.2, height=0.05),
        stand(-TURN),
    ],
    "landing on the back": [stand(), fly(0, -TURN + 1.5), stand(-TURN + 1.5, height=0.05)],
    "starting from the head": [stand(-3.0, height=0.25), fly(-3.0, -TURN), stand(-TURN)],
    "never landing": [stand(), fly(0, -TURN)],
    "never taking off": [fly(0, -TURN), stand(-TURN)],
    "touching the ground upside down": [
        stand(),
        fly(0, -np.pi),
        stand(-np.pi, height=0.25),
        fly(-np.pi, -TURN),
        stand(-TURN),
    ],
}


@pytest.mark.parametrize("name", NOT_BACKFLIPS)
def test_what_is_no_backflip(name: str) -> None:
    assert count_backflips(postures(*NOT_BACKFLIPS[name])) == 0


def test_rolling_on_the_ground_is_no_backflip() -> None:
    rolling = postures((0.0, np.linspace(0, -3 * TURN, 300)))
    rolling[:, 0] -= np.minimum(*lowest_points(posture_of(rolling)))
    assert count_backflips(rolling) == 0


def test_a_policy_that_flips_and_one_that_rocks_to_and_fro() -> None:
    with np.load(ROLLOUTS) as rollouts:
        flipping, rocking = (observe_turning(rollouts[name])[::2] for name in ("flipping", "rocking"))
    assert backflip_landings(flipping).tolist() == [117, 166]
    assert count_backflips(rocking) == 0


def test_lowest_points_are_where_mujoco_has_contacts() -> None:
    env = gymnasium.make("Hopper-v5", terminate_when_unhealthy=False).unwrapped
    model, data = env.model, env.data
    rng = np.random.default_rng(0)
    compared = 0
    for step in range(400):
        if step % 100 == 0:
            env.reset(seed=step)
        observation = env.step(rng.uniform(-1, 1, 3))[0]
        mujoco.mj_forward(model, data)
        distances: dict[bool, float] = {}
        for contact in data.contact:
            names = {model.geom(contact.geom1).name, model.geom(contact.geom2).name}
            if "floor" in names:
                is_foot = "foot_geom" in names
                distances[is_foot] = min(contact.dist, distances.get(is_foot, np.inf))
        body, foot = lowest_points(observation[None, :5])
        for is_foot, distance in distances.items():
            assert (foot if is_foot else body)[0] == pytest.approx(distance, abs=1e-9)
            compared += 1
    env.close()
    assert compared > 100


def test_an_episode_is_over_as_soon_as_mujoco_has_the_torso_on_the_ground() -> None:
    env = make_env(get_task("hopper-backflip"))
    model, data = env.unwrapped.model, env.unwrapped.data
    rng = np.random.default_rng(0)
    for seed in range(10):
        env.reset(seed=seed)
        is_over = False
        while not is_over:
            is_over = env.step(rng.uniform(-1, 1, 3))[2]
            mujoco.mj_forward(model, data)
            torso = data.geom("torso_geom")
            radius, half_length, _ = model.geom("torso_geom").size
            lowest = torso.xpos[2] - half_length * abs(torso.xmat[8]) - radius
            assert is_over == (lowest <= CLEARANCE)
    env.close()


def test_a_tumbler_takes_the_steps_that_seconds_are_counted_in() -> None:
    env = make_env(get_task("hopper-backflip"))
    assert env.unwrapped.dt == pytest.approx(STEP_S)
    env.close()


def test_other_observations_are_refused() -> None:
    with pytest.raises(ShapeError):
        count_backflips(np.zeros((10, 17), np.float32))
