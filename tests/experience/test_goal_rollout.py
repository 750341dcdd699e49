import numpy as np

from rlhf.experience.goal_dynamics import BitFlip
from rlhf.experience.goal_envs import OwnGoalEnvs
from rlhf.experience.goal_rollout import collect_goal_episodes
from rlhf.types.experience import Float32, Int64


def flip_a_wrong_bit(observations: Float32, desired: Float32) -> Int64:
    return (observations != desired).argmax(axis=1)[:, None]


def flip_the_first(observations: Float32, desired: Float32) -> Int64:
    return np.zeros((len(observations), 1), np.int64)


def test_an_episode_ends_where_its_goal_is_reached() -> None:
    envs = OwnGoalEnvs(BitFlip(num_bits=6), 8)
    episodes = collect_goal_episodes(envs, flip_a_wrong_bit, np.arange(8))
    first = episodes.observations[:, 0]
    assert episodes.reached.all()
    assert episodes.lengths.tolist() == (first != episodes.desired).sum(axis=1).tolist()
    last = episodes.achieved[np.arange(8), episodes.lengths]
    np.testing.assert_array_equal(last, episodes.desired)
    assert episodes.num_steps == episodes.lengths.sum()


def test_an_episode_that_never_reaches_it_lasts_to_the_horizon() -> None:
    envs = OwnGoalEnvs(BitFlip(num_bits=6), 4)
    episodes = collect_goal_episodes(envs, flip_the_first, np.array([3, 4, 5, 6]))
    missed = ~episodes.reached
    assert missed.any()
    assert (episodes.lengths[missed] == 6).all()


def test_what_was_done_leads_from_each_observation_to_the_next() -> None:
    envs = OwnGoalEnvs(BitFlip(num_bits=6), 8)
    episodes = collect_goal_episodes(envs, flip_a_wrong_bit, np.arange(8))
    for one in range(8):
        for step in range(episodes.lengths[one]):
            changed = episodes.observations[one, step] != episodes.observations[one, step + 1]
            assert np.flatnonzero(changed).tolist() == episodes.actions[one, step].tolist()
