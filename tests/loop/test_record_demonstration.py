"""What experts and people show is stored like any behaviour, its true rewards apart."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.recording import EpisodeRecorder, Start, start_within
from rlhf.experience.tasks import get_task
from rlhf.loop.record_demonstration import Origin, demonstrate_by_expert, keep_demonstration
from rlhf.loop.start_run import ask_expert
from rlhf.storage import demonstrations, jobs, runs, segments
from rlhf.storage.engine import reading
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.run import JobKind
from rlhf.ui.store import Store


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run(task="cartpole-balance")


def test_an_experts_episodes_are_stored_whole_with_their_true_rewards_apart(
    store: Store, run_id: str
) -> None:
    returns = demonstrate_by_expert(store.engine, store.blobs, run_id, 2)
    with reading(store.engine) as connection:
        rows = demonstrations.list_valid(connection, run_id)
        shown = [segments.load_segment(connection, store.blobs, row["segment_id"]) for row in rows]
        truths = segments.load_true_rewards(connection, store.blobs, [row["segment_id"] for row in rows])
        assert jobs.has_claimable(connection, (JobKind.DRAW,))
    assert returns == [500.0, 500.0] == [rewards.sum() for rewards in truths]
    assert [(row["source"], row["num_steps"], row["terminated"]) for row in rows] == [
        (DemonstrationSource.EXPERT, 500, False)
    ] * 2
    assert [segment.num_real_steps for segment in shown] == [500, 500]


def test_every_call_shows_other_episodes(store: Store, run_id: str) -> None:
    for _ in range(2):
        demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    with reading(store.engine) as connection:
        rows = demonstrations.list_valid(connection, run_id)
        first, second = (segments.load_segment(connection, store.blobs, r["segment_id"]) for r in rows)
    assert not np.array_equal(first.observations, second.observations)


def test_a_persons_takeover_names_its_origin(
    store: Store, run_id: str, make_annotator: Callable[..., str]
) -> None:
    task = get_task("cartpole-balance")
    demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    with reading(store.engine) as connection:
        origin_id = demonstrations.list_valid(connection, run_id)[0]["segment_id"]
        origin = segments.load_segment(connection, store.blobs, origin_id)
    recorder = EpisodeRecorder(task, start_within(task, origin, 40))
    recorder.step(1)
    person = make_annotator()
    keep_demonstration(
        store.engine,
        store.blobs,
        run_id,
        recorder,
        annotator_id=person,
        origin=Origin(segment_id=origin_id, step=40),
    )
    with reading(store.engine) as connection:
        row = demonstrations.list_valid(connection, run_id)[-1]
    assert row["source"] is DemonstrationSource.TAKEOVER
    assert (row["annotator_id"], row["origin_id"], row["origin_step"]) == (person, origin_id, 40)


def test_an_empty_recording_is_not_kept(store: Store, run_id: str) -> None:
    recorder = EpisodeRecorder(get_task("cartpole-balance"), Start(reset_seed=1))
    with pytest.raises(TaskError, match="nothing was recorded"):
        keep_demonstration(store.engine, store.blobs, run_id, recorder, annotator_id=None)
    with reading(store.engine) as connection:
        assert demonstrations.list_demonstrations(connection, run_id) == []


def test_an_expert_that_does_not_exist_is_not_asked(store: Store, make_run: Callable[..., str]) -> None:
    ant = make_run(task="ant-run")
    with pytest.raises(TaskError, match="no scripted expert"):
        ask_expert(store.engine, ant, 3)
    with reading(store.engine) as connection:
        assert not jobs.has_claimable(connection, (JobKind.DEMONSTRATE,))
        assert runs.list_events(connection, ant) == []
