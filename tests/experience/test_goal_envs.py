import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from point_env import POINT

from rlhf.errors import TaskError
from rlhf.experience.goal_envs import DYNAMICS, GymnasiumGoalEnvs, OwnGoalEnvs
from rlhf.experience.goal_pictures import draw
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task, make_goal_envs

EVERY = pytest.mark.parametrize("env_id", sorted(DYNAMICS))


@EVERY
def test_ours_pass_gymnasiums_own_check(env_id: str) -> None:
    check_env(gymnasium.make(env_id, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [*((env_id, {}) for env_id in sorted(DYNAMICS)), ("rlhf/FourRooms-v0", {"wind": 0.3})],
)
def test_stepping_many_at_once_is_stepping_each(env_id: str, settings: dict[str, float]) -> None:
    many = OwnGoalEnvs(DYNAMICS[env_id](**settings), 3)
    each = GymnasiumGoalEnvs(env_id, 3, **settings)
    assert (many.space, many.horizon) == (each.space, each.horizon)
    rng, seeds = np.random.default_rng(0), np.array([5, 6, 7])
    seen, expected = many.reset(seeds), each.reset(seeds)
    for _ in range(many.horizon - 1):
        for got, wanted in zip(seen, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(
            many.reached(seen.achieved, seen.desired), each.reached(expected.achieved, expected.desired)
        )
        actions = rng.integers(many.space.action_options, size=(3, 1))
        seen, expected = (envs.step(actions, np.ones(3, np.bool_)) for envs in (many, each))


@EVERY
def test_the_reward_of_a_step_is_that_of_its_goals(env_id: str) -> None:
    env = gymnasium.make(env_id)
    seen, _ = env.reset(seed=0)
    desired = seen["desired_goal"]
    achieved, rewards = [], []
    ended = False
    while not ended:
        seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        achieved.append(seen["achieved_goal"])
        rewards.append(reward)
        ended = terminated or truncated
    judged = env.unwrapped.compute_reward(np.stack(achieved), desired, {})
    assert judged.tolist() == rewards
    assert env.unwrapped.compute_reward(desired, desired, {}) == 0.0


def test_numbers_of_an_action_take_five_values_from_bound_to_bound() -> None:
    envs = GymnasiumGoalEnvs(POINT, 1)
    assert (envs.space.action_dims, envs.space.action_options, envs.horizon) == (2, 5, 20)
    moved = []
    for choices in ([0, 0], [4, 2], [2, 4]):
        start = envs.reset(np.array([3])).observations
        moved.append((envs.step(np.array([choices]), np.array([True])).observations - start)[0])
    np.testing.assert_allclose(moved, [[-0.2, -0.1], [0.2, 0.1], [0.0, 0.3]], atol=1e-6)


def test_reaching_counts_whatever_it_pays() -> None:
    envs = GymnasiumGoalEnvs(POINT, 1)
    goals = np.zeros((4, 3, 2), np.float32)
    goals[..., 0] = np.array([0.0, 0.1, 0.2])
    assert envs.reached(goals, np.zeros_like(goals)).tolist() == [[True, True, False]] * 4


def test_those_that_do_not_act_stand_still() -> None:
    envs = GymnasiumGoalEnvs(POINT, 2)
    before = envs.reset(np.array([0, 1])).observations
    after = envs.step(np.full((2, 2), 4), np.array([False, True])).observations
    assert (before == after).all(axis=1).tolist() == [True, False]


def test_an_episode_that_its_environment_ends_is_not_stepped_further() -> None:
    envs = GymnasiumGoalEnvs(POINT, 1, ends_after=2)
    envs.reset(np.array([0]))
    places = [envs.step(np.array([[4, 2]]), np.array([True])).observations for _ in range(4)]
    assert (places[0] != places[1]).any()
    np.testing.assert_array_equal(places[1], places[3])


def test_a_reward_that_judges_one_pair_only_is_refused() -> None:
    envs = GymnasiumGoalEnvs(POINT, 2, judges_many=False)
    seen = envs.reset(np.array([0, 1]))
    with pytest.raises(TaskError, match="judge many goals at once"):
        envs.reached(seen.achieved, seen.desired)


@pytest.mark.parametrize(
    ("env_id", "settings", "named"),
    [
        (POINT.replace("Point-", "PointDense-"), {}, f"take '{POINT}'"),
        (POINT, {"pays_by_distance": True}, "take its sparse version"),
    ],
)
def test_a_reward_that_tells_how_near_a_goal_is_is_refused(
    env_id: str, settings: dict[str, bool], named: str
) -> None:
    envs = GymnasiumGoalEnvs(env_id, 2, **settings)
    seen = envs.reset(np.array([0, 1]))
    with pytest.raises(TaskError, match=f"pays by how near.*{named}"):
        envs.reached(seen.achieved, seen.desired)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"speed": np.inf}, "infinite bounds"),
        ({"goals": gymnasium.spaces.Dict({"kettle": gymnasium.spaces.Discrete(2)})}, "desired_goal is Dict"),
    ],
)
def test_actions_without_bounds_and_several_goals_at_once_are_refused(
    settings: dict[str, object], said: str
) -> None:
    with pytest.raises(TaskError, match=said):
        GymnasiumGoalEnvs(POINT, 1, **settings)


@pytest.mark.parametrize(("name", "said"), [("gym:CartPole-v1", "compute_reward"), ("gym:No-v0", "No")])
def test_environments_without_goals_are_refused(name: str, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        make_goal_envs(get_goal_task(name), 1)


def test_a_wrong_name_is_told_the_closest() -> None:
    with pytest.raises(TaskError, match="four-rooms"):
        get_goal_task("four-room")


@pytest.mark.parametrize("name", GOAL_TASKS)
def test_pictures_show_the_state_and_its_goal(name: str) -> None:
    envs = GymnasiumGoalEnvs(GOAL_TASKS[name].env_id, 1, render_mode="rgb_array")
    pictures = []
    for seed in (0, 1):
        envs.reset(np.array([seed]))
        pictures.append(envs.picture())
    height, width, channels = pictures[0].shape
    assert (height % 2, width % 2, channels, pictures[0].dtype) == (0, 0, 3, np.uint8)
    for picture in pictures:
        red, green, blue = picture.reshape(-1, 3).astype(int).T
        assert ((blue - red > 100) & (blue > green)).sum() > 20, "no blue state"
        assert ((red - blue > 100) & (red > green)).sum() > 20, "no orange goal"
    assert (pictures[0] != pictures[1]).any()


def test_nobody_draws_what_is_not_known() -> None:
    with pytest.raises(TypeError, match="no pictures"):
        draw(object(), np.zeros(1), np.zeros(1, np.float32))  # type: ignore[arg-type]
