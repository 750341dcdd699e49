import numpy as np
import pytest

from rlhf.clips.render import SegmentRenderer
from rlhf.errors import TaskError
from rlhf.experience.backends import make_batched_env
from rlhf.experience.envpool_batch import EnvPoolBatchedEnv
from rlhf.experience.gymnasium_batch import GymnasiumBatchedEnv
from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.replay import restored_observations
from rlhf.experience.rollout import run_episodes
from rlhf.experience.segments import cut
from rlhf.experience.tasks import get_task, make_env
from rlhf.experience.vector import VectorStepper
from rlhf.types.experience import Segment
from rlhf.types.task import ActionSpace

pytest.importorskip("envpool")
NAMES = ["envpool:LunarLander-v3", "envpool:Pendulum-v1", "envpool:CheetahRun-v1"]


def random_actions(env: EnvPoolBatchedEnv, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if env.action_space.kind == "discrete":
        return rng.integers(env.action_space.size, size=(count, env.num_envs))
    return rng.uniform(-1, 1, (count, env.num_envs, env.action_space.size)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_stepping_together_equals_stepping_one_after_the_other(name: str) -> None:
    task, everyone = get_task(name), np.arange(2)
    fast, slow = make_batched_env(task, 2), GymnasiumBatchedEnv(task, 2)
    assert isinstance(fast, EnvPoolBatchedEnv)
    first = fast.reset(everyone, np.array([3, 4]))
    np.testing.assert_array_equal(first, slow.reset(everyone, np.array([3, 4])))
    assert not np.array_equal(first[0], first[1])
    for actions in random_actions(fast, 40):
        for left, right in zip(fast.step(actions), slow.step(actions), strict=True):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
    fast.close()
    slow.close()


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_depends_on_its_seed_and_actions_only(name: str) -> None:
    env = make_batched_env(get_task(name), 1)
    actions = random_actions(env, 30)
    seen = []
    for seed in (7, 8, 7):
        observations = [env.reset(np.array([0]), np.array([seed]))]
        observations += [env.step(action)[0] for action in actions]
        seen.append(np.concatenate(observations))
    np.testing.assert_array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], seen[1])
    env.close()


def test_a_restored_stepper_goes_on_bit_for_bit() -> None:
    task = get_task("envpool:LunarLander-v3")
    stepper, other = VectorStepper(task, 2, seed=0), VectorStepper(task, 2, seed=1)
    rng = np.random.default_rng(0)
    for _ in range(150):
        stepper.step(rng.integers(4, size=2))
    other.load_state_dict(stepper.state_dict())
    for _ in range(100):
        actions = rng.integers(4, size=2)
        left, right = stepper.step(actions), other.step(actions)
        np.testing.assert_array_equal(left.observations, right.observations)
        np.testing.assert_array_equal(left.true_rewards, right.true_rewards)
    stepper.close()
    other.close()


def test_hopper_moves_as_gymnasiums_does() -> None:
    # EnvPool tells no full state, but the first observation of Hopper lacks the horizontal position only,
    # which nothing depends on.
    ours, theirs = make_env(get_task("envpool:Hopper-v5")), make_env(get_task("gym:Hopper-v5"))
    observation, _ = ours.reset(seed=3)
    theirs.reset(seed=0)
    theirs.unwrapped.set_state(np.concatenate([[0.0], observation[:5]]), observation[5:])
    for action in np.random.default_rng(0).uniform(-1, 1, (15, 3)).astype(np.float32):
        left, right = ours.step(action), theirs.step(action)
        np.testing.assert_allclose(left[0], right[0], atol=1e-4)
        assert left[1] == pytest.approx(right[1], abs=1e-4)
        assert left[2] == right[2]


@pytest.fixture
def segment() -> Segment:
    task = get_task("envpool:LunarLander-v3")
    episode = run_episodes(
        task, UniformRandomPolicy(ActionSpace("discrete", 4)), 1, seed=5, deterministic=False
    )[0][0]
    return cut(episode, 10, 30, task.horizon)


def test_a_segment_replays_to_the_observations_the_policy_saw(segment: Segment) -> None:
    shown = restored_observations(get_task("envpool:LunarLander-v3"), segment)
    np.testing.assert_array_equal(shown, segment.observations)


def test_a_segment_is_drawn_from_its_seed_and_actions(segment: Segment) -> None:
    task = get_task("envpool:LunarLander-v3")
    renderer = SegmentRenderer(task, lambda **options: make_env(task, **options))
    frames = renderer.frames(segment)
    assert len(frames) == 31
    assert (frames[0] != frames[-1]).any()
    np.testing.assert_array_equal(renderer.frames(segment), frames)
    renderer.close()


def test_unknown_environments_are_refused_with_a_hint() -> None:
    with pytest.raises(TaskError, match="EnvPool has no environment 'Lunar'"):
        get_task("envpool:Lunar")


def test_environments_that_show_pictures_are_refused() -> None:
    with pytest.raises(TaskError, match="numbers"):
        get_task("envpool:Pong-v5")
