import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.experience.tasks import list_tasks
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.session import open_session
from rlhf.loop.simulate import simulate
from rlhf.storage import models, runs
from rlhf.storage.engine import reading
from rlhf.types.run import RunState
from rlhf.ui.store import Store

KEYS = {
    "task",
    "seed",
    "steps",
    "wall_s",
    "steps_per_second",
    "seconds",
    "random_return",
    "true_return",
    "peak_rss_mb",
    "labels",
    "audit_accuracy",
    "reward_spearman",
    "teacher",
    "curve",
}
TIMINGS = ("wall_s", "steps_per_second", "seconds", "peak_rss_mb")
TINY = {"schedule.total_steps": 6000, "schedule.labels": 12, "schedule.initial_labels": 8}


@pytest.fixture
def simulated(store: Store, new_small_run: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """``simulated(task, ...)`` runs a small run to its end and returns its report, with the id as ``run``."""

    def run(task: str = "cartpole-balance", **options: Any) -> dict[str, Any]:
        run_id = new_small_run(task, **(TINY | options))
        report = simulate(store.engine, store.blobs, run_id, lambda *_: None)
        return {**json.loads(json.dumps(report, allow_nan=False)), "run": run_id}

    return run


def what_was_learned(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key not in (*TIMINGS, "run", "seed")}


def test_the_report_has_the_keys_that_other_programs_read(
    store: Store, simulated: Callable[..., dict[str, Any]]
) -> None:
    report = simulated()
    assert report.keys() - {"run"} == KEYS
    assert report["seconds"].keys() == {"experience", "policy", "reward", "queries", "clips"}
    assert report["true_return"].keys() == {"mean", "per_episode", "best_version"}
    assert report["true_return"]["mean"] == pytest.approx(np.mean(report["true_return"]["per_episode"]))
    assert report["labels"].keys() == {"asked", "answered", "equal", "skipped"}
    assert report["labels"]["asked"] == 12
    assert report["steps"] >= 6000
    assert report["teacher"] == "oracle"
    assert report["curve"]
    assert all(point.keys() == {"steps", "labels", "true_return"} for point in report["curve"])
    steps = [point["steps"] for point in report["curve"]]
    assert steps == sorted(set(steps))
    with reading(store.engine) as connection:
        assert runs.get_run(connection, report["run"])["state"] is RunState.FINISHED


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    simulated: Callable[..., dict[str, Any]],
) -> None:
    first, same, other = (simulated(teacher="mistake:0.3", seed=seed) for seed in (1, 1, 2))
    assert what_was_learned(same) == what_was_learned(first)
    assert what_was_learned(other) != what_was_learned(first)


def test_without_labels_there_is_never_a_reward(
    store: Store, simulated: Callable[..., dict[str, Any]]
) -> None:
    report = simulated(**{"schedule.labels": 0, "schedule.initial_labels": 0})
    with reading(store.engine) as connection:
        assert models.list_reward_versions(connection, report["run"]) == []
    assert report["labels"] == {"asked": 0, "answered": 0, "equal": 0, "skipped": 0}
    assert report["true_return"]["best_version"] == 0
    assert report["steps"] >= 6000


def test_a_flipped_teacher_teaches_the_opposite(simulated: Callable[..., dict[str, Any]]) -> None:
    fit = {"reward.max_epochs": 100, "reward.hidden": "16"}
    labels = {"schedule.labels": 30, "schedule.initial_labels": 30, "schedule.total_steps": 3000}
    flipped = simulated("pendulum-swingup", teacher="flipped", **fit, **labels)
    oracle = simulated("pendulum-swingup", teacher="oracle", **fit, **labels)
    assert flipped["reward_spearman"] < -0.2
    assert oracle["reward_spearman"] > 0.2


def test_skipped_answers_are_counted_and_not_learned_from(
    store: Store, simulated: Callable[..., dict[str, Any]]
) -> None:
    report = simulated("pendulum-swingup", teacher="skip+equal")
    labels = report["labels"]
    assert labels["answered"] + labels["equal"] + labels["skipped"] == labels["asked"] == 12
    with reading(store.engine) as connection:
        learned = [row["num_answers"] for row in models.list_reward_versions(connection, report["run"])]
    assert max(learned, default=0) <= 12 - labels["skipped"]


@pytest.mark.parametrize("task", [*(task.name for task in list_tasks()), "gym:InvertedPendulum-v5"])
def test_two_turns_of_every_task_give_a_reward_and_a_policy(
    task: str, store: Store, new_small_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlhf.loop.baseline._BASELINE_ENVS", 2)  # a whole horizon of each takes long
    short = {"collect.num_envs": 2, "collect.explore_steps": 0, "collect.novelty_steps": 0}
    run_id = new_small_run(task, **short)
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    assert iterate(session) is Turn.WAITING
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 8
    assert [iterate(session) for _ in range(2)] == [Turn.LEARNED] * 2
    session.collector.stepper.close()
    assert (session.reward_version, session.policy.version) == (1, 2)
