"""Runs, their curves and their events."""

import math
import re
from collections.abc import Callable

import pytest

from rlhf.errors import JobError, NotFoundError
from rlhf.storage import runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import RunState
from rlhf.ui.store import Store


def _curves(store: Store, run_id: str, names: list[str] | None = None) -> list[tuple[str, int, float]]:
    with reading(store.engine) as connection:
        return sorted(runs.get_curves(connection, run_id, names))


def _measure(store: Store, run_id: str, steps: int, **values: float) -> None:
    with writing(store.engine) as connection:
        runs.add_measurements(connection, run_id, steps, values)


def test_new_run_is_created_and_wanted_by_nobody(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with reading(store.engine) as connection:
        row = runs.get_run(connection, run_id)
    assert (row["state"], row["wanted"], row["steps"]) == (RunState.CREATED, RunState.PAUSED, 0)


@pytest.mark.parametrize("task", ["pendulum-swingup", "gym:some.module:Weird_Env-v1", "Ü / ..", "x" * 150])
def test_id_is_safe_in_addresses_and_file_names(make_run: Callable[..., str], task: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{0,40}-[0-9a-f]{6}", make_run(task=task))


def test_equal_runs_have_different_ids(make_run: Callable[..., str]) -> None:
    assert make_run() != make_run()


def test_settings_come_back_as_they_were(store: Store, make_run: Callable[..., str]) -> None:
    overrides = {"ppo.learning_rate": 3e-4, "schedule.labels": 50, "reward.model": "linear"}
    run_id = make_run(overrides=overrides)
    with reading(store.engine) as connection:
        assert runs.get_run(connection, run_id)["overrides"] == overrides


def test_unknown_run_is_not_found(store: Store) -> None:
    with reading(store.engine) as connection, pytest.raises(NotFoundError, match="run list"):
        runs.get_run(connection, "gone")


def test_newest_run_is_listed_first(store: Store, make_run: Callable[..., str]) -> None:
    first, second = make_run(), make_run()
    with reading(store.engine) as connection:
        assert [row["id"] for row in runs.list_runs(connection)] == [second, first]


def test_finished_run_cannot_be_wanted_again(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, state=RunState.FINISHED)
    with pytest.raises(JobError, match="finished"), writing(store.engine) as connection:
        runs.set_wanted(connection, run_id, RunState.RUNNING)


@pytest.mark.parametrize("state", [RunState.CREATED, RunState.PAUSED, RunState.FAILED, RunState.STOPPED])
def test_unfinished_run_can_be_wanted_again(
    store: Store, make_run: Callable[..., str], state: RunState
) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, state=state)
        runs.set_wanted(connection, run_id, RunState.RUNNING)
        assert runs.get_run(connection, run_id)["wanted"] is RunState.RUNNING


def test_update_touches_one_run(store: Store, make_run: Callable[..., str]) -> None:
    changed, other = make_run(), make_run()
    with writing(store.engine) as connection:
        runs.update_run(connection, changed, message="Going.", steps=2**40)
        assert runs.get_run(connection, changed)["steps"] == 2**40
        assert runs.get_run(connection, other)["message"] == "Not started yet."


def test_curves_come_in_order_of_steps(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    _measure(store, run_id, 20, a=2.0)
    _measure(store, run_id, 10, a=1.0, b=5.0)
    with reading(store.engine) as connection:
        assert [steps for _, steps, _ in runs.get_curves(connection, run_id)] == [10, 10, 20]
        assert runs.get_curves(connection, run_id, ["a"]) == [("a", 10, 1.0), ("a", 20, 2.0)]


def test_point_measured_again_replaces_only_itself(store: Store, make_run: Callable[..., str]) -> None:
    run_id, other = make_run(), make_run()
    for run in (run_id, other):
        _measure(store, run, 10, a=1.0, b=1.0)
        _measure(store, run, 20, a=1.0)
    _measure(store, run_id, 10, a=9.0)
    assert _curves(store, run_id) == [("a", 10, 9.0), ("a", 20, 1.0), ("b", 10, 1.0)]
    assert _curves(store, other) == [("a", 10, 1.0), ("a", 20, 1.0), ("b", 10, 1.0)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_value_that_is_no_number_is_no_point(
    store: Store, make_run: Callable[..., str], value: float
) -> None:
    run_id = make_run()
    _measure(store, run_id, 10, a=value, b=1.0)
    _measure(store, run_id, 20, a=value)
    assert _curves(store, run_id) == [("b", 10, 1.0)]


def test_no_values_add_no_point(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    _measure(store, run_id, 10)
    assert _curves(store, run_id) == []


def test_points_after_a_checkpoint_are_dropped(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    for steps in (10, 20, 30):
        _measure(store, run_id, steps, a=1.0)
    with writing(store.engine) as connection:
        runs.drop_measurements_after(connection, run_id, 20)
    assert [steps for _, steps, _ in _curves(store, run_id)] == [10, 20]


def test_latest_events_come_first_and_are_limited(store: Store, make_run: Callable[..., str]) -> None:
    run_id, other = make_run(), make_run()
    with writing(store.engine) as connection:
        for number in range(5):
            runs.add_event(connection, run_id, number, "kind", f"event {number}")
        runs.add_event(connection, other, 0, "kind", "of another run")
        found = [row["message"] for row in runs.list_events(connection, run_id, limit=3)]
    assert found == ["event 4", "event 3", "event 2"]
