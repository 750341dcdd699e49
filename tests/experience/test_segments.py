import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.experience.segments import cut, num_starts, part_around, sample_endings, sample_segments
from rlhf.types.experience import Episode, Segment

HORIZON = 100


def episode(num_steps: int, *, terminated: bool, with_states: bool = True, reset_seed: int = 5) -> Episode:
    steps = np.arange(num_steps + 1)
    return Episode(
        observations=np.stack((steps, -steps), axis=1).astype(np.float32),
        actions=np.linspace(-1, 1, num_steps, dtype=np.float32)[:, None],
        terminated=terminated,
        reset_seed=reset_seed,
        policy_version=3,
        sim_states=steps[:, None] + 0.5 if with_states else None,
    )


@pytest.mark.parametrize(
    ("num_steps", "terminated", "length", "expected"),
    [
        (100, False, 30, 71),  # starts 0 to 70
        (30, False, 30, 1),
        (29, False, 30, 0),  # cut short without termination: nothing may be made up
        (10, True, 30, 10),  # one real step at least
        (90, True, 30, 71),  # not beyond the horizon
        (100, True, 30, 71),
    ],
)
def test_number_of_starts(num_steps: int, terminated: bool, length: int, expected: int) -> None:
    assert num_starts(episode(num_steps, terminated=terminated), length, HORIZON) == expected


def test_a_segment_is_a_slice() -> None:
    source = episode(100, terminated=False)
    segment = cut(source, 20, 30, HORIZON)
    np.testing.assert_array_equal(segment.observations, source.observations[20:51])
    np.testing.assert_array_equal(segment.actions, source.actions[20:50])
    assert source.sim_states is not None
    np.testing.assert_array_equal(segment.replay.sim_states, source.sim_states[20:51])
    assert not segment.absorbing.any()
    assert (segment.replay.start, segment.replay.reset_seed, segment.policy_version) == (20, 5, 3)


def test_after_termination_the_absorbing_state_fills_the_segment() -> None:
    segment = cut(episode(10, terminated=True), 7, 6, HORIZON)
    assert segment.observations[:, 0].tolist() == [7, 8, 9, 10, 10, 10, 10]
    assert segment.absorbing.tolist() == [False] * 3 + [True] * 3
    assert segment.actions[3:].tolist() == [[0.0]] * 3
    assert segment.replay.sim_states is not None
    assert segment.replay.sim_states[:, 0].tolist() == [7.5, 8.5, 9.5, 10.5, 10.5, 10.5, 10.5]


def test_without_simulator_states_all_real_actions_since_the_reset_are_kept() -> None:
    source = episode(10, terminated=True, with_states=False)
    for start, num_actions in ((2, 8), (7, 10)):
        replay = cut(source, start, 6, HORIZON).replay
        np.testing.assert_array_equal(replay.actions_from_reset, source.actions[:num_actions])


def test_a_segment_does_not_share_memory_with_its_episode() -> None:
    source = episode(50, terminated=False)
    segment = cut(source, 0, 10, HORIZON)
    source.observations[:] = 0
    assert segment.observations[1, 0] == 1


@pytest.mark.parametrize("start", [-1, 71])
def test_starts_outside_the_episode_are_refused(start: int) -> None:
    with pytest.raises(ShapeError, match="71 starts"):
        cut(episode(100, terminated=False), start, 30, HORIZON)


@pytest.mark.parametrize("count", [6, 60])
def test_sampling_reaches_every_start_and_none_twice(count: int) -> None:
    episodes = [
        episode(5, terminated=False, reset_seed=1),
        episode(2, terminated=False, reset_seed=2),
        episode(3, terminated=True, reset_seed=3),
    ]
    segments = sample_segments(episodes, count, 3, HORIZON, np.random.default_rng(0))
    found = sorted((s.replay.reset_seed, s.replay.start) for s in segments)
    assert found == [(1, 0), (1, 1), (1, 2), (3, 0), (3, 1), (3, 2)]


def test_episodes_too_short_for_a_segment_are_an_error() -> None:
    with pytest.raises(ShapeError, match="collect longer ones"):
        sample_segments([episode(5, terminated=False)], 1, 6, HORIZON, np.random.default_rng(0))


def recorded(num_steps: int, *, terminated: bool, with_states: bool = True) -> Segment:
    """A whole episode as it is stored to be watched."""
    source = episode(num_steps, terminated=terminated, with_states=with_states)
    return cut(source, 0, num_steps, HORIZON)


@pytest.mark.parametrize(
    ("step", "start"),
    [(50, 40), (51, 41), (3, 0), (99, 80), (100, 80)],  # in the middle, or as near to it as there are steps
)
def test_a_moment_comes_to_lie_in_the_middle(step: int, start: int) -> None:
    segment = part_around(recorded(100, terminated=False), step, 20, HORIZON, terminated=False)
    assert segment.replay.start == start
    assert segment.observations[:, 0].tolist() == list(range(start, start + 21))
    assert segment.replay.sim_states is not None
    assert segment.replay.sim_states[0, 0] == start + 0.5


def test_around_the_end_of_an_episode_there_are_absorbing_steps() -> None:
    segment = part_around(recorded(30, terminated=True), 29, 20, HORIZON, terminated=True)
    assert (segment.replay.start, segment.num_real_steps, segment.num_steps) == (19, 11, 20)


def test_a_moment_of_a_recording_from_the_middle_of_an_episode_keeps_all_actions_since_the_reset() -> None:
    whole = episode(60, terminated=False, with_states=False)
    later = cut(whole, 25, 35, HORIZON)
    segment = part_around(later, 10, 10, HORIZON, terminated=False)
    assert segment.replay.start == 25 + 5
    np.testing.assert_array_equal(segment.replay.actions_from_reset, whole.actions[:40])
    np.testing.assert_array_equal(segment.actions, whole.actions[30:40])


def test_a_moment_of_too_short_a_recording_is_refused() -> None:
    with pytest.raises(ShapeError, match="a part of 10 steps"):
        part_around(recorded(9, terminated=False), 3, 10, HORIZON, terminated=False)


def test_endings_show_the_first_step_after_the_end() -> None:
    episodes = [
        episode(60, terminated=True, reset_seed=1),
        episode(100, terminated=False, reset_seed=2),
        episode(4, terminated=True, reset_seed=3),
        episode(95, terminated=True, reset_seed=4),
    ]
    for seed in range(20):
        found = sample_endings(episodes, 10, 30, HORIZON, np.random.default_rng(seed))
        assert sorted(one.replay.reset_seed for one in found) == [1, 3, 4]
        assert all(one.absorbing.any() and not one.absorbing[0] for one in found)
    assert len(sample_endings(episodes, 2, 30, HORIZON, np.random.default_rng(0))) == 2


def test_where_nothing_ended_there_are_no_endings_and_nothing_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert sample_endings([episode(100, terminated=False)], 5, 30, HORIZON, rng) == []
    assert rng.random() == np.random.default_rng(0).random()
