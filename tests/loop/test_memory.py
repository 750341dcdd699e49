import numpy as np
import pytest

from rlhf.experience.segments import cut
from rlhf.loop.memory import Memory
from rlhf.types.experience import Episode, Float64, Rollout

HORIZON = 20


def make_memory(seed: int = 0) -> Memory:
    return Memory(recent=3, older=4, rollouts=2, rng=np.random.default_rng(seed))


def make_episode(reset_seed: int, steps: int = 10, *, terminated: bool = False) -> Episode:
    rng = np.random.default_rng(reset_seed)
    return Episode(
        observations=rng.normal(size=(steps + 1, 2)).astype(np.float32),
        actions=rng.uniform(-1, 1, size=(steps, 1)).astype(np.float32),
        terminated=terminated,
        reset_seed=reset_seed,
        policy_version=reset_seed,
        sim_states=rng.normal(size=(steps + 1, 3)),
    )


def rewards_of(episode: Episode) -> Float64:
    return np.arange(episode.num_steps, dtype=np.float64) + episode.reset_seed * 100.0


def fill(memory: Memory, numbers: range) -> None:
    episodes = [make_episode(number) for number in numbers]
    memory.add(episodes, [rewards_of(episode) for episode in episodes])


def make_rollout(version: int) -> Rollout:
    rng = np.random.default_rng(version)
    return Rollout(
        observations=rng.normal(size=(5, 2, 2)).astype(np.float32),
        actions=rng.normal(size=(5, 2, 1)).astype(np.float32),
        log_probs=rng.normal(size=(5, 2)).astype(np.float32),
        next_observations=rng.normal(size=(5, 2, 2)).astype(np.float32),
        terminated=np.zeros((5, 2), np.bool_),
        truncated=np.zeros((5, 2), np.bool_),
        policy_version=version,
    )


def test_the_newest_episodes_are_recent() -> None:
    memory = make_memory()
    fill(memory, range(5))
    assert [episode.reset_seed for episode in memory.recent] == [2, 3, 4]
    assert [episode.reset_seed for episode in memory.older] == [0, 1]


def test_no_more_older_episodes_are_kept_than_there_is_room_for() -> None:
    memory = make_memory()
    fill(memory, range(60))
    assert len(memory.older) == 4


def test_older_episodes_are_thinned_and_not_just_the_latest() -> None:
    memory = make_memory()
    fill(memory, range(60))
    assert min(episode.reset_seed for episode in memory.older) < 53


def test_every_remembered_episode_keeps_its_true_rewards() -> None:
    memory = make_memory()
    fill(memory, range(60))
    for episode in [*memory.recent, *memory.older]:
        segment = cut(episode, 2, 5, HORIZON)
        np.testing.assert_array_equal(memory.true_rewards_of(segment), rewards_of(episode)[2:7])


def test_a_forgotten_episode_leaves_no_true_rewards_behind() -> None:
    memory = make_memory()
    fill(memory, range(60))
    kept = {episode.reset_seed for episode in [*memory.recent, *memory.older]}
    forgotten = make_episode(next(number for number in range(60) if number not in kept))
    with pytest.raises(KeyError):
        memory.true_rewards_of(cut(forgotten, 0, 5, HORIZON))


def test_the_absorbing_part_of_a_segment_has_no_true_reward() -> None:
    memory, episode = make_memory(), make_episode(1, terminated=True)
    memory.add([episode], [rewards_of(episode)])
    rewards = memory.true_rewards_of(cut(episode, 7, 6, HORIZON))
    np.testing.assert_array_equal(rewards, [107.0, 108.0, 109.0, 0.0, 0.0, 0.0])


def test_true_returns_are_of_the_recent_whole_episodes() -> None:
    memory = make_memory()
    episodes = [
        make_episode(0, HORIZON),
        make_episode(1, HORIZON),
        make_episode(2),
        make_episode(3, terminated=True),
    ]
    memory.add(episodes, [rewards_of(episode) for episode in episodes])
    assert memory.true_returns(HORIZON) == [20 * 100.0 + 190.0, 10 * 300.0 + 45.0]


def explore(memory: Memory, numbers: range) -> None:
    episodes = [make_episode(number) for number in numbers]
    memory.add_explored(episodes, [rewards_of(episode) for episode in episodes])


def test_all_of_the_exploration_is_kept_with_its_true_rewards_while_others_come() -> None:
    memory = make_memory()
    explore(memory, range(40))
    fill(memory, range(100, 160))
    assert [episode.reset_seed for episode in memory.explored] == list(range(40))
    for episode in memory.explored:
        segment = cut(episode, 2, 5, HORIZON)
        np.testing.assert_array_equal(memory.true_rewards_of(segment), rewards_of(episode)[2:7])


def test_a_forgotten_exploration_leaves_only_recent_and_older_episodes_behind() -> None:
    memory = make_memory()
    explore(memory, range(40))
    fill(memory, range(100, 102))
    memory.forget_exploration()
    assert not memory.explored
    kept = {episode.reset_seed for episode in [*memory.recent, *memory.older]}
    for number in (*range(40), 100, 101):
        segment = cut(make_episode(number), 0, 5, HORIZON)
        if number in kept:
            memory.true_rewards_of(segment)
        else:
            with pytest.raises(KeyError):
                memory.true_rewards_of(segment)


def test_only_the_latest_rollouts_are_kept() -> None:
    memory = make_memory()
    memory.rollouts.extend(make_rollout(version) for version in range(4))
    assert [rollout.policy_version for rollout in memory.rollouts] == [2, 3]


def test_a_restored_memory_has_the_same_state() -> None:
    memory, restored = make_memory(), make_memory()
    explore(memory, range(20, 30))
    fill(memory, range(9))
    memory.rollouts.extend(make_rollout(version) for version in range(2))
    arrays, details = memory.state_dict()
    restored.load_state_dict(arrays, details)
    arrays_again, details_again = restored.state_dict()
    assert details_again == details
    assert [e.reset_seed for e in restored.explored] == list(range(20, 30))
    assert arrays_again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(arrays_again[name], array)


def test_a_restored_memory_forgets_the_same_episodes_next() -> None:
    memory, restored = make_memory(), make_memory()
    fill(memory, range(30))
    restored.load_state_dict(*memory.state_dict())
    fill(memory, range(30, 60))
    fill(restored, range(30, 60))
    assert [e.reset_seed for e in restored.older] == [e.reset_seed for e in memory.older]


def test_episodes_without_simulator_states_are_restored_without() -> None:
    memory, restored = make_memory(), make_memory()
    full = make_episode(1)
    bare = Episode(
        observations=full.observations,
        actions=full.actions,
        terminated=True,
        reset_seed=1,
        policy_version=0,
    )
    memory.add([bare], [rewards_of(bare)])
    restored.load_state_dict(*memory.state_dict())
    assert restored.recent[0].sim_states is None
    assert restored.recent[0].terminated


def test_the_best_policys_episodes_are_kept_with_their_true_rewards() -> None:
    memory = make_memory()
    fill(memory, range(3))
    memory.crown(list(memory.recent)[:2])
    fill(memory, range(3, 60))
    assert [episode.reset_seed for episode in memory.champion] == [0, 1]
    for episode in memory.champion:
        segment = cut(episode, 2, 5, HORIZON)
        np.testing.assert_array_equal(memory.true_rewards_of(segment), rewards_of(episode)[2:7])


def test_a_new_best_policy_lets_go_of_the_one_before() -> None:
    memory = make_memory()
    fill(memory, range(1))
    first = memory.recent[0]
    memory.crown([first])
    fill(memory, range(1, 200))
    memory.crown([memory.recent[-1]])
    assert first.reset_seed not in {episode.reset_seed for episode in memory.older}
    with pytest.raises(KeyError):
        memory.true_rewards_of(cut(first, 2, 5, HORIZON))


def test_memory_of_an_earlier_program_has_no_best_policy() -> None:
    memory, restored = make_memory(), make_memory()
    fill(memory, range(5))
    arrays, details = memory.state_dict()
    del details["groups"]["champion"]
    restored.load_state_dict(arrays, details)
    assert restored.champion == []
