"""What a worker makes of work that fails, in this process: the job, the run and the query say so."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlhf.errors import RenderError, StorageError
from rlhf.loop import make_ranking as runner_ranking
from rlhf.loop.order_foresight import order_foresight
from rlhf.loop.order_ranking import RankConfig, order_ranking, stop_ranking
from rlhf.loop.start_run import new_run, start_run
from rlhf.storage import jobs, models, queries, runs, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import jobs as jobs_table
from rlhf.types.run import JobKind, JobState, QueryStatus, RunState
from rlhf.ui.store import Store
from rlhf.worker import runner
from rlhf.worker.lease import Heartbeat

TINY = {
    "collect.num_envs": 2,
    "collect.explore_steps": 400,
    "ppo.hidden": "8",
    "reward.num_members": 2,
    "schedule.open_queries": 4,
}


def train_once(store: Store) -> bool:
    """Do what ``worker --role trainer --once`` does with its first job."""
    heartbeat = Heartbeat(store.engine, "trainer-1")
    step = runner._trainer(store.engine, store.blobs, "trainer-1", heartbeat, threading.Event(), True)
    return step()


def render_once(store: Store, do: Callable[[Any], None]) -> bool:
    heartbeat = Heartbeat(store.engine, "renderer-1")
    return runner._do_next(store.engine, (JobKind.RENDER,), "renderer-1", heartbeat, do)


def read_run(store: Store, run_id: str) -> Any:
    with reading(store.engine) as connection:
        return runs.get_run(connection, run_id)


def job_states(store: Store) -> list[JobState]:
    with reading(store.engine) as connection:
        return [row.state for row in connection.execute(jobs_table.select())]


def error_events(store: Store, run_id: str) -> list[str]:
    with reading(store.engine) as connection:
        return [row["message"] for row in runs.list_events(connection, run_id) if row["kind"] == "error"]


@pytest.fixture
def render_job(store: Store, make_run: Callable[..., str], make_query: Callable[..., str]) -> tuple[str, str]:
    """A run and a query of it that waits to be drawn."""
    run_id = make_run()
    query_id = make_query(run_id, status=QueryStatus.RENDERING)
    with writing(store.engine) as connection:
        jobs.enqueue(connection, run_id, JobKind.RENDER, query_id)
    return run_id, query_id


def status_of(store: Store, query_id: str) -> QueryStatus:
    with reading(store.engine) as connection:
        status: QueryStatus = queries.get_query(connection, query_id)["status"]
        return status


def test_a_run_that_cannot_be_saved_is_paused_with_the_error_and_goes_on_when_it_can(
    store: Store, tmp_path: Path
) -> None:
    run_id = new_run(store.engine, "pendulum-swingup", overrides=TINY)
    start_run(store.engine, run_id)
    blobs = Path(store.settings.blob_url)
    shutil.rmtree(blobs, ignore_errors=True)
    blobs.write_text("a file where the folder should be")  # root may write to any folder, but not in a file

    assert train_once(store)
    run = read_run(store, run_id)
    assert (run["state"], run["wanted"]) == (RunState.PAUSED, RunState.PAUSED)
    assert "could not be written" in run["error"]
    assert error_events(store, run_id) == [run["error"]]
    assert not train_once(store)  # a paused run is nobody's work

    blobs.unlink()
    start_run(store.engine, run_id)
    assert read_run(store, run_id)["error"] is None
    assert train_once(store)
    run = read_run(store, run_id)
    assert (run["state"], run["error"]) == (RunState.RUNNING, None)
    with reading(store.engine) as connection:
        assert models.list_checkpoints(connection, run_id)
        assert queries.count_by_status(connection, run_id) == {QueryStatus.RENDERING: 4}


def test_a_run_whose_task_is_gone_has_failed_with_the_error(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id = make_run(task="gym:Gone-v0")
    start_run(store.engine, run_id)
    assert train_once(store)
    run = read_run(store, run_id)
    assert (run["state"], run["wanted"]) == (RunState.FAILED, RunState.STOPPED)
    assert "Gone-v0" in run["error"]
    assert job_states(store) == [JobState.FAILED]


def test_a_render_error_is_an_event_on_the_run_and_is_not_tried_again(
    store: Store, render_job: tuple[str, str]
) -> None:
    run_id, _ = render_job

    def fail(job: Any) -> None:
        raise RenderError("no picture")

    assert render_once(store, fail)
    assert error_events(store, run_id) == ["no picture"]
    assert read_run(store, run_id)["error"] == "no picture"
    assert job_states(store) == [JobState.FAILED]
    assert not render_once(store, fail)


@pytest.mark.parametrize("error", [StorageError("disk full"), ValueError("a mistake")])
def test_a_query_whose_drawing_is_given_up_waits_no_longer(
    error: Exception, store: Store, render_job: tuple[str, str]
) -> None:
    def fail(job: Any) -> None:
        raise error

    for _ in range(jobs.MAX_ATTEMPTS):
        assert status_of(store, render_job[1]) is QueryStatus.RENDERING
        assert render_once(store, fail)
    assert status_of(store, render_job[1]) is QueryStatus.FAILED
    assert job_states(store) == [JobState.FAILED]


def test_a_query_that_was_answered_before_it_was_drawn_stays_answered(
    store: Store, render_job: tuple[str, str]
) -> None:
    def fail(job: Any) -> None:
        with writing(store.engine) as connection:
            queries.set_status(connection, job["subject"], QueryStatus.ANSWERED)
        raise RenderError("no picture")

    render_once(store, fail)
    assert status_of(store, render_job[1]) is QueryStatus.ANSWERED


def test_a_run_in_paused_state_is_not_claimed(store: Store) -> None:
    new_run(store.engine, "pendulum-swingup", overrides=TINY)
    assert not train_once(store)


def rank_once(store: Store, stop: threading.Event) -> bool:
    """Do what ``worker --role ranker`` does with its first job."""
    heartbeat = Heartbeat(store.engine, "ranker-1")
    return runner._ranker(store.engine, store.blobs, "ranker-1", heartbeat, stop, True)()


def test_a_comparison_of_sources_waits_for_the_next_worker_if_its_own_ends(
    store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, stop = make_run(), threading.Event()
    ranking_id = order_ranking(store.engine, run_id, "pendulum-swingup", RankConfig(episodes=1))
    make = runner_ranking.make_ranking

    def interrupted(*arguments: Any) -> None:
        stop.set()
        arguments[-1]()  # what it calls often

    monkeypatch.setattr(runner_ranking, "make_ranking", interrupted)
    assert rank_once(store, stop)
    assert job_states(store) == [JobState.WAITING]
    monkeypatch.setattr(runner_ranking, "make_ranking", make)
    assert rank_once(store, threading.Event())
    assert job_states(store) == [JobState.DONE]
    with reading(store.engine) as connection:
        assert source_rankings.get_ranking(connection, ranking_id)["sources"] == []


def test_a_comparison_of_sources_that_was_stopped_is_done(
    store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking_id = order_ranking(store.engine, make_run(), "pendulum-swingup", RankConfig(episodes=1))
    make = runner_ranking.make_ranking

    def stopped_first(*arguments: Any) -> None:
        stop_ranking(store.engine, ranking_id)
        make(*arguments)

    monkeypatch.setattr(runner_ranking, "make_ranking", stopped_first)
    assert rank_once(store, threading.Event())
    assert job_states(store) == [JobState.DONE]


def test_what_looking_ahead_brings_is_found_by_the_ranker_and_a_failure_is_kept(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id = make_run()
    order_foresight(store.engine, run_id)
    assert rank_once(store, threading.Event())
    assert job_states(store) == [JobState.FAILED]
    with reading(store.engine) as connection:
        job = jobs.find(connection, JobKind.FORESEE, run_id)
    assert job is not None
    assert "no checkpoint yet" in job["error"]
