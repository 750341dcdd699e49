"""A saved policy acts from a start of choice, to be watched beside a demonstration."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import NotFoundError
from rlhf.loop.record_replay import record_replay
from rlhf.loop.start_run import ask_replay
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.storage import jobs, models, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind
from rlhf.types.task import ActionSpace
from rlhf.ui.store import Store

VERSION, SEED = 4, 123


@pytest.fixture
def run_id(store: Store, make_run: Callable[..., str]) -> str:
    """A run on Pendulum with one saved policy."""
    run_id = make_run()
    rng = np.random.default_rng(0)
    policy = PolicySnapshot(
        weights=[rng.normal(size=(3, 1)).astype(np.float32)],
        biases=[np.zeros(1, np.float32)],
        log_std=np.zeros(1, np.float32),
        observation_shift=np.zeros(3, np.float32),
        observation_scale=np.ones(3, np.float32),
        observation_clip=10.0,
        version=VERSION,
        action_space=ActionSpace("continuous", 1),
    )
    arrays = store.blobs.write_arrays(policy.to_arrays())
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, VERSION, arrays=arrays, steps=100, reward_version=0, num_answers=0
        )
    return run_id


def asked(store: Store, run_id: str) -> str:
    ask_replay(store.engine, run_id, VERSION, SEED)
    with reading(store.engine) as connection:
        row = models.find_replay(connection, run_id, VERSION, SEED)
    assert row is not None
    return str(row["id"])


def test_asking_twice_asks_once(store: Store, run_id: str) -> None:
    assert asked(store, run_id) == asked(store, run_id)
    with reading(store.engine) as connection:
        assert jobs.has_claimable(connection, (JobKind.REPLAY,))


def test_the_episode_begins_at_the_start_and_is_whole(store: Store, run_id: str) -> None:
    segment_id = record_replay(store.engine, store.blobs, asked(store, run_id))
    assert segment_id is not None
    with reading(store.engine) as connection:
        row = models.find_replay(connection, run_id, VERSION, SEED)
        segment = segments.load_segment(connection, store.blobs, segment_id)
        (paid,) = segments.load_true_rewards(connection, store.blobs, [segment_id])
        is_replay = models.is_replay(connection, run_id, segment_id)
    assert row is not None
    assert row["segment_id"] == segment_id
    assert (segment.replay.reset_seed, segment.num_real_steps, segment.policy_version) == (SEED, 200, VERSION)
    assert len(paid) == 200
    assert is_replay


def test_recording_again_gives_the_same(store: Store, run_id: str) -> None:
    replay_id = asked(store, run_id)
    ids = [record_replay(store.engine, store.blobs, replay_id) for _ in range(2)]
    with reading(store.engine) as connection:
        names = {segments.get_segment_row(connection, str(one))["arrays"] for one in ids}
    assert len(names) == 1


def test_a_replay_of_a_dropped_policy_is_not_recorded(store: Store, run_id: str) -> None:
    replay_id = asked(store, run_id)
    with writing(store.engine) as connection:
        models.drop_versions_after(connection, run_id, 50)
    assert record_replay(store.engine, store.blobs, replay_id) is None


def test_a_policy_saved_anew_forgets_what_the_old_one_did(store: Store, run_id: str) -> None:
    asked(store, run_id)
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, VERSION, arrays="other", steps=100, reward_version=0, num_answers=0
        )
        assert models.find_replay(connection, run_id, VERSION, SEED) is None


def test_a_policy_that_was_not_saved_cannot_be_asked_for(store: Store, run_id: str) -> None:
    with pytest.raises(NotFoundError, match="version 9"):
        ask_replay(store.engine, run_id, 9, SEED)
