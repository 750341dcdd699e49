"""A comparison of sources that is ordered on a page, done in the background, and can be stopped."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import ConfigError, JobStoppedError, TaskError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.make_ranking import make_ranking
from rlhf.loop.order_ranking import RankConfig, order_ranking, stop_ranking
from rlhf.policy.ppo import PPO
from rlhf.storage import jobs, models, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind, JobState
from rlhf.types.task import ActionSpace
from rlhf.ui.store import Store

Make = Callable[..., str]
TASK = "cartpole-balance"
QUICK = RankConfig(episodes=1)


@pytest.fixture
def run_id(store: Store, new_small_run: Make) -> str:
    """A run with a saved policy that fits the task's usual settings."""
    made = new_small_run(TASK)
    policy = PPO(resolve(get_task(TASK), {}).ppo, 4, ActionSpace("discrete", 2), np.random.default_rng(0))
    arrays = store.blobs.write_arrays(policy.policy_arrays())
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, made, 3, arrays=arrays, steps=9, reward_version=0, num_answers=0
        )
    return made


def newest(store: Store, *, is_finished: bool) -> Any:
    with reading(store.engine) as connection:
        return source_rankings.newest_ranking(connection, TASK, is_finished=is_finished)


def test_what_is_found_is_kept(store: Store, run_id: str) -> None:
    ranking_id = order_ranking(store.engine, run_id, TASK, QUICK)
    make_ranking(store.engine, store.blobs, ranking_id)
    row = newest(store, is_finished=True)
    (source,) = row["sources"]
    assert (row["id"], source["run_id"], source["version"]) == (ranking_id, run_id, 3)
    assert row["finished_at"] >= row["created_at"]


def test_a_second_order_while_one_is_going_on_is_the_same_one(store: Store, run_id: str) -> None:
    first = order_ranking(store.engine, run_id, TASK, QUICK)
    assert order_ranking(store.engine, run_id, TASK, RankConfig(episodes=4)) == first
    with writing(store.engine) as connection:
        job = jobs.claim(connection, (JobKind.RANK,), "one")
        assert job is not None
        jobs.release(connection, job["id"], "one", JobState.FAILED, "Error: no")
    second = order_ranking(store.engine, run_id, TASK, RankConfig(episodes=4))
    assert second != first
    assert newest(store, is_finished=False)["settings"]["episodes"] == 4


def test_one_that_is_stopped_before_it_began_is_nobodys_work(store: Store, run_id: str) -> None:
    ranking_id = order_ranking(store.engine, run_id, TASK, QUICK)
    stop_ranking(store.engine, ranking_id)
    with writing(store.engine) as connection:
        assert jobs.claim(connection, (JobKind.RANK,), "one") is None
    with pytest.raises(JobStoppedError):
        make_ranking(store.engine, store.blobs, ranking_id)


def test_one_that_is_stopped_on_the_way_ends_at_the_next_rollout(store: Store, run_id: str) -> None:
    kept = order_ranking(store.engine, run_id, TASK, QUICK)
    make_ranking(store.engine, store.blobs, kept)
    ranking_id = order_ranking(store.engine, run_id, TASK, RankConfig(episodes=1, short_steps=10**9))
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # as it is, then the first rollouts of scratch
            stop_ranking(store.engine, ranking_id)
        assert calls < 10_000

    with pytest.raises(JobStoppedError):
        make_ranking(store.engine, store.blobs, ranking_id, check)
    assert newest(store, is_finished=True)["id"] == kept
    assert newest(store, is_finished=False) is None


def test_progress_is_told_in_words(store: Store, run_id: str) -> None:
    ranking_id = order_ranking(store.engine, run_id, TASK, QUICK)
    make_ranking(store.engine, store.blobs, ranking_id)
    ranking_id = order_ranking(store.engine, run_id, TASK, QUICK)
    told: list[str] = []

    def check() -> None:
        told.append(newest(store, is_finished=False)["message"])

    make_ranking(store.engine, store.blobs, ranking_id, check)
    assert told == [""]  # before the first note
    assert newest(store, is_finished=True)["num_in_all"] == 1


def test_what_makes_no_sense_is_refused_before_it_is_work(store: Store, run_id: str) -> None:
    with pytest.raises(TaskError, match="no-such-task"):
        order_ranking(store.engine, run_id, "no-such-task", QUICK)
    with pytest.raises(ConfigError, match="RUN:VERSION"):
        order_ranking(store.engine, run_id, TASK, QUICK, reward_from="abc")
    assert newest(store, is_finished=False) is None
