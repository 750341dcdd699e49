"""A world that changes under a run: the environments follow, the run notices and adapts, nothing is lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import ConfigError, JobError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.change_world import change_world, let_watch, watches
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.score_rollout import score_rollout
from rlhf.loop.session import Session, save_checkpoint
from rlhf.loop.simulate import simulate
from rlhf.loop.watch_world import watch_world
from rlhf.storage import runs
from rlhf.storage.engine import reading, writing
from rlhf.ui.store import Store

Make = Callable[..., str]
TASK = "cartpole-balance"
HEAVY = f"{TASK}+gravity=20+length=1.5"
WATCH = {"world.watch": True, "schedule.total_steps": 8000, "schedule.labels": 8}


def events(store: Store, run_id: str, kind: str) -> list[str]:
    with reading(store.engine) as connection:
        return [e["message"] for e in runs.list_events(connection, run_id, 500) if e["kind"] == kind]


def run_with_change(store: Store, run_id: str, change: tuple[int, str] | None) -> dict[str, Any]:
    return simulate(store.engine, store.blobs, run_id, lambda *at: None, change=change)


def test_a_change_is_noticed_soon_and_not_before(store: Store, new_small_run: Make) -> None:
    run_id = new_small_run(TASK, **WATCH | {"world.steps_per_update": 8})
    found = run_with_change(store, run_id, (6000, HEAVY))
    (alarm, *_) = found["world_alarms"]
    assert 6000 < alarm < 7500
    assert "seems to have changed at about" in " ".join(events(store, run_id, "warning"))
    assert found["task"] == HEAVY  # judged in the world as it is at the end


def test_environments_go_on_from_where_they_stand(
    store: Store, new_small_run: Make, opened: Callable[[str], Session]
) -> None:
    session = opened(new_small_run(TASK))
    iterate(session)
    before = session.collector.stepper.state_dict()
    change_world(store.engine, session.run_id, HEAVY)
    assert events(store, session.run_id, "world") == [
        f"The world was changed from {TASK} to {HEAVY}. The run was not told."
    ]
    iterate(session)
    after = session.collector.stepper
    assert after.task.name == session.task.name == HEAVY
    np.testing.assert_array_equal(after.observations, before["observations"])
    assert after.seed == before["seed"]


def test_what_is_known_of_the_world_is_part_of_a_checkpoint(
    store: Store, new_small_run: Make, opened: Callable[[str], Session]
) -> None:
    run_id = new_small_run(TASK, **WATCH | {"schedule.total_steps": 3000})
    run_with_change(store, run_id, None)
    first, again = opened(run_id), opened(run_id)
    assert first.world is not None
    assert again.world is not None
    rollout = first.memory.rollouts[-1]
    assert [one.world.look(rollout) for one in (first, again) if one.world] == [False, False]
    save_checkpoint(first)
    assert first.world.errors == again.world.errors
    assert first.world.errors.count > 1
    for name, value in first.world.model.state_dict().items():
        np.testing.assert_array_equal(value, again.world.model.state_dict()[name])


def test_a_run_begins_to_watch_while_it_goes_on_and_leaves_off(
    store: Store, new_small_run: Make, opened: Callable[[str], Session]
) -> None:
    session = opened(new_small_run(TASK))
    iterate(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 8)
    assert iterate(session) is Turn.LEARNED
    assert session.world is None
    let_watch(store.engine, session.run_id, True)
    iterate(session)
    assert session.world is not None
    assert session.world.model.num_steps == session.memory.rollouts[-1].num_steps
    save_checkpoint(session)
    again = opened(session.run_id)
    assert again.world is not None
    assert again.world.model.num_steps == session.world.model.num_steps
    let_watch(store.engine, session.run_id, False)
    iterate(again)
    assert again.world is None
    assert len(events(store, session.run_id, "watch")) == 2


@pytest.mark.parametrize(("at_first", "later"), [(True, False), (False, True)])
def test_what_is_set_later_counts_and_else_what_a_run_began_with(
    store: Store, new_small_run: Make, opened: Callable[[str], Session], at_first: bool, later: bool
) -> None:
    def is_watched() -> bool:
        with reading(store.engine) as connection:
            return watches(runs.get_run(connection, run_id))

    run_id = new_small_run(TASK, **{"world.watch": str(at_first)})
    opened(run_id)
    assert is_watched() == at_first
    let_watch(store.engine, run_id, later)
    assert is_watched() == later


@pytest.mark.parametrize("adapts", [True, False])
def test_after_a_warning_the_best_policy_and_rollouts_of_the_world_before_are_let_go(
    store: Store, new_small_run: Make, opened: Callable[[str], Session], adapts: bool
) -> None:
    settings = {"schedule.total_steps": 4000, "world.adapt": adapts, "world.warm_up": 1}
    run_id = new_small_run(TASK, **WATCH | settings)
    run_with_change(store, run_id, None)
    session = opened(run_id)
    assert session.world is not None
    assert session.reward is not None
    assert session.gates.champion is not None
    session.world.errors.total, session.world.errors.level = 100.0, -100.0
    session.world.errors.rising = 1
    rollout = session.memory.rollouts[-1]
    watch_world(session, rollout, score_rollout(session, rollout, session.reward, 0.0))
    assert session.world.alarms[-1] == session.steps
    assert (session.gates.champion is None) == adapts
    assert (len(session.memory.rollouts) == 2) == adapts
    assert (session.stirred_until > session.steps) == adapts
    assert session.world.errors.total == 0.0


@pytest.mark.parametrize(
    ("before", "after"),
    [(TASK, TASK), (TASK, "pendulum-swingup"), ("lunarlander-land", "lunarlander-land+gravity=-5")],
)
def test_a_world_becomes_another_variant_of_the_same_task_only(
    store: Store, new_small_run: Make, before: str, after: str
) -> None:
    run_id = new_small_run(before)
    with pytest.raises(ConfigError):
        change_world(store.engine, run_id, after)
    assert not events(store, run_id, "world")


def test_a_run_that_is_over_has_no_world(store: Store, new_small_run: Make) -> None:
    run_id = new_small_run(TASK)
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, steps=10**9)
    with pytest.raises(JobError, match="has finished"):
        change_world(store.engine, run_id, HEAVY)
