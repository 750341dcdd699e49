"""Windows of recorded episodes: the same as if they had been cut from the episode itself."""

import numpy as np
import pytest

from rlhf.errors import ShapeError
from rlhf.experience.segments import cut, part_of, window_starts
from rlhf.types.experience import Episode, Segment

HORIZON = 100


def episode(num_steps: int, *, terminated: bool, with_states: bool) -> Episode:
    steps = np.arange(num_steps + 1)
    return Episode(
        observations=np.stack((steps, -steps), axis=1).astype(np.float32),
        actions=np.linspace(-1, 1, num_steps, dtype=np.float32)[:, None],
        terminated=terminated,
        reset_seed=5,
        policy_version=3,
        sim_states=steps[:, None] + 0.5 if with_states else None,
    )


def same(one: Segment, other: Segment) -> None:
    arrays, others = one.to_arrays(), other.to_arrays()
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


@pytest.mark.parametrize("with_states", [True, False])
@pytest.mark.parametrize(
    ("num_steps", "terminated", "start"),
    [(100, False, 0), (100, False, 70), (40, True, 5), (40, True, 25), (40, True, 39), (12, True, 0)],
)
def test_a_part_is_what_would_have_been_cut(
    num_steps: int, terminated: bool, start: int, with_states: bool
) -> None:
    source = episode(num_steps, terminated=terminated, with_states=with_states)
    whole = cut(source, 0, num_steps, HORIZON)
    same(part_of(whole, start, 30), cut(source, start, 30, HORIZON))


@pytest.mark.parametrize("with_states", [True, False])
def test_a_part_of_a_part_is_a_part(with_states: bool) -> None:
    source = episode(40, terminated=True, with_states=with_states)
    whole = cut(source, 0, 40, HORIZON)
    same(part_of(part_of(whole, 10, 60), 8, 20), part_of(whole, 18, 20))


@pytest.mark.parametrize("start", [-1, 40])
def test_a_part_starts_within(start: int) -> None:
    whole = cut(episode(40, terminated=True, with_states=True), 0, 40, HORIZON)
    with pytest.raises(ShapeError, match="cannot start"):
        part_of(whole, start, 10)


@pytest.mark.parametrize(
    ("num_steps", "starts"),
    [(10, [0]), (7, [0]), (11, [0, 1]), (20, [0, 5, 10]), (23, [0, 5, 10, 13])],
)
def test_windows_cover_an_episode_to_its_end(num_steps: int, starts: list[int]) -> None:
    assert window_starts(num_steps, 10) == starts
