"""Moments that somebody picked become one query of two segments as long as all others."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import NotFoundError, QueryError, ShapeError
from rlhf.experience.tasks import get_task
from rlhf.loop.ask_about import Moment, ask_about
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.storage import demonstrations, jobs, queries, runs, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind, QueryStatus
from rlhf.ui.store import Store

TASK = get_task("cartpole-balance")


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run(task=TASK.name)


@pytest.fixture
def recording(store: Store, run_id: str) -> str:
    """Segment id of an episode of 500 steps."""
    demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    with reading(store.engine) as connection:
        return str(demonstrations.list_demonstrations(connection, run_id)[0]["segment_id"])


def moment(segment_id: str, step: int) -> Moment:
    return Moment(segment_id=segment_id, frame=step // TASK.frame_skip)


def test_two_moments_become_a_query_to_be_drawn(store: Store, run_id: str, recording: str) -> None:
    query_id = ask_about(store.engine, store.blobs, run_id, moment(recording, 100), moment(recording, 300))
    with reading(store.engine) as connection:
        query = queries.get_query(connection, query_id)
        cuts = [segments.load_segment(connection, store.blobs, query[s]) for s in ("left_id", "right_id")]
        assert jobs.has_claimable(connection, (JobKind.RENDER,))
    assert (query["kind"], query["status"]) == (QueryKind.PICKED, QueryStatus.RENDERING)
    half = TASK.segment_steps // 2
    assert sorted(segment.replay.start for segment in cuts) == [100 - half, 300 - half]
    assert [segment.num_steps for segment in cuts] == [TASK.segment_steps] * 2


def test_what_the_steps_paid_goes_with_them(store: Store, run_id: str, recording: str) -> None:
    query_id = ask_about(store.engine, store.blobs, run_id, moment(recording, 0), moment(recording, 500))
    with reading(store.engine) as connection:
        query = queries.get_query(connection, query_id)
        paid = segments.load_true_rewards(connection, store.blobs, [query["left_id"], query["right_id"]])
    np.testing.assert_array_equal(paid, np.ones((2, TASK.segment_steps)))


def test_the_same_moments_again_are_the_same_query(store: Store, run_id: str, recording: str) -> None:
    first, second = moment(recording, 100), moment(recording, 300)
    ids = {ask_about(store.engine, store.blobs, run_id, *pair) for pair in ((first, second), (second, first))}
    assert len(ids) == 1


def test_no_teacher_answers_what_somebody_picked(store: Store, run_id: str, recording: str) -> None:
    ask_about(store.engine, store.blobs, run_id, moment(recording, 100), moment(recording, 300))
    scale = {"mean_return": 1.0, "lowest_return": 0.0, "difference_sd": 1.0}
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, teacher="oracle", baseline={"teacher_scale": scale})
    assert ask_teacher(store.engine, store.blobs, run_id, 10) == 0


def test_a_moment_beside_itself_is_refused(store: Store, run_id: str, recording: str) -> None:
    with pytest.raises(QueryError, match="further apart"):
        ask_about(store.engine, store.blobs, run_id, moment(recording, 0), moment(recording, 1))


def test_a_frame_that_there_is_not_is_refused(store: Store, run_id: str, recording: str) -> None:
    with pytest.raises(QueryError, match="has no frame 9999"):
        ask_about(
            store.engine,
            store.blobs,
            run_id,
            moment(recording, 0),
            Moment(segment_id=recording, frame=9999),
        )


def test_a_recording_of_another_run_is_not_found(
    store: Store, recording: str, make_run: Callable[..., str]
) -> None:
    other = make_run(task=TASK.name)
    with pytest.raises(NotFoundError, match="no recording"):
        ask_about(store.engine, store.blobs, other, moment(recording, 0), moment(recording, 300))


def test_too_short_a_recording_is_refused(
    store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]
) -> None:
    run_id = make_run()
    short = make_segment(run_id)
    with writing(store.engine) as connection:
        demonstrations.insert_demonstration(
            connection, run_id, short, source=DemonstrationSource.PERSON, num_steps=3, terminated=False
        )
    with pytest.raises(ShapeError, match="50 steps"):
        ask_about(
            store.engine,
            store.blobs,
            run_id,
            Moment(segment_id=short, frame=0),
            Moment(segment_id=short, frame=2),
        )
