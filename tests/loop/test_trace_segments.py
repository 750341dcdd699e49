"""What a reward version makes of the steps of stored segments."""

from collections.abc import Callable

import numpy as np
import pytest
from small_rewards import linear_reward

from rlhf.errors import NotFoundError
from rlhf.loop.trace_segments import trace_segments
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import models, segments
from rlhf.storage.engine import writing
from rlhf.types.experience import Replay, Segment
from rlhf.ui.store import Store

WEIGHTS = [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, -3.0]
"""Of cosine, sine, speed, their changes, and the absorbing flag."""


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run()


def add_version(store: Store, run_id: str, model: RewardModel) -> None:
    arrays = store.blobs.write_arrays(dict(model.to_arrays()))
    with writing(store.engine) as connection:
        models.insert_reward_version(connection, run_id, 1, arrays=arrays, num_answers=1, steps=1, report={})


def add_segment(store: Store, run_id: str, *, discrete: bool = False, frames: int | None = 3) -> str:
    """Four steps of a swing whose last one is spent in the absorbing state."""
    actions = np.zeros(4, np.int64) if discrete else np.zeros((4, 1), np.float32)
    segment = Segment(
        observations=np.array([[1, 0, 0], [0, 1, 2], [0, 1, 3], [1, 0, 1], [1, 0, 1]], np.float32),
        actions=actions,
        absorbing=np.array([False, False, False, True]),
        policy_version=0,
        replay=Replay(reset_seed=0, start=0, sim_states=np.zeros((5, 2))),
    )
    arrays = store.blobs.write_arrays(segment.to_arrays())
    with writing(store.engine) as connection:
        segment_id = segments.insert_segment(connection, run_id, segment, arrays, None)
        if frames is not None:
            segments.set_clip(
                connection, segment_id, clip="c", poster="p", fps=20.0, frames=frames, ended_at_frame=2
            )
    return segment_id


def test_rewards_are_those_of_the_version(store: Store, run_id: str) -> None:
    add_version(store, run_id, linear_reward(WEIGHTS))
    found = trace_segments(store.engine, store.blobs, run_id, 1, [add_segment(store, run_id)])
    (trace,) = found.traces
    np.testing.assert_allclose(trace.rewards[0], [1.0, 4.0, 6.0, 0.0])  # cosine + 2 speed - 3 absorbing
    np.testing.assert_allclose(trace.rewards[1], 1.1 * trace.rewards[0], rtol=1e-6)
    added = trace.contributions.sum(axis=1) + found.base
    np.testing.assert_allclose(added, trace.rewards.mean(axis=0), atol=1e-5)
    assert trace.absorbing.tolist() == [False, False, False, True]


def test_features_have_names_and_units(store: Store, run_id: str) -> None:
    add_version(store, run_id, linear_reward(WEIGHTS))
    found = trace_segments(store.engine, store.blobs, run_id, 1, [add_segment(store, run_id)])
    named = dict(zip(found.names, found.units, strict=True))
    assert named["angular velocity"] == named["change of angular velocity"] == "rad/s"
    assert named["cosine of angle"] == named["absorbing"] == ""
    assert found.traces[0].values.shape == (4, len(named))


@pytest.mark.parametrize(
    ("discrete", "more"), [(False, ["action 0"]), (True, ["action is 0", "action is 1"])]
)
def test_actions_are_features_where_the_reward_uses_them(
    store: Store, run_id: str, discrete: bool, more: list[str]
) -> None:
    weights = [*WEIGHTS[:-1], *[0.5] * len(more), -3.0]
    add_version(store, run_id, linear_reward(weights, use_actions=True))
    segment_id = add_segment(store, run_id, discrete=discrete)
    found = trace_segments(store.engine, store.blobs, run_id, 1, [segment_id])
    assert list(found.names[6:-1]) == more


def test_a_task_without_names_numbers_its_features(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run(task="gym:Unheard-v0")
    add_version(store, run_id, linear_reward(WEIGHTS))
    found = trace_segments(store.engine, store.blobs, run_id, 1, [add_segment(store, run_id)])
    assert found.names[:2] == ("observation 0", "observation 1")


@pytest.mark.parametrize(("frames", "expected"), [(None, 1), (1, 1), (3, 2), (5, 1)])
def test_steps_are_matched_to_frames(store: Store, run_id: str, frames: int | None, expected: int) -> None:
    add_version(store, run_id, linear_reward(WEIGHTS))
    segment_id = add_segment(store, run_id, frames=frames)
    found = trace_segments(store.engine, store.blobs, run_id, 1, [segment_id])
    assert found.traces[0].steps_per_frame == expected


def test_segments_of_another_run_are_not_found(store: Store, make_run: Callable[..., str]) -> None:
    run_id, other = make_run(), make_run()
    add_version(store, run_id, linear_reward(WEIGHTS))
    with pytest.raises(NotFoundError, match="has no segment"):
        trace_segments(store.engine, store.blobs, run_id, 1, [add_segment(store, other)])


def test_an_unknown_version_is_not_found(store: Store, run_id: str) -> None:
    with pytest.raises(NotFoundError, match="version 1"):
        trace_segments(store.engine, store.blobs, run_id, 1, [add_segment(store, run_id)])
