"""Going on after a stop: bit-equal from a checkpoint, past damaged ones, and on a full disk."""

import contextlib
import resource
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rlhf.errors import StorageError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import models, queries, runs, segments
from rlhf.storage.engine import reading
from rlhf.storage.schema import queries as queries_table
from rlhf.ui.store import Store

# Labels come due in small sessions, so that queries are chosen and rewards fitted after the checkpoint too.
BUSY = {
    "schedule.labels": 40,
    "schedule.total_steps": 6_000,
    "schedule.labels_end": 1.0,
    "schedule.session_labels": 2,
    "schedule.refit_share": 0.0,
    "schedule.refit_answers": 2,
    "keep.checkpoint_s": 1e6,
}


def take_turns(session: Session, count: int) -> None:
    for _ in range(count):
        iterate(session)
        ask_teacher(session.engine, session.blobs, session.run_id, 100)


def learn(store: Store, run_id: str, turns: int) -> Session:
    """Return a session in which the policy has learned for so many turns."""
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    take_turns(session, 1 + turns)  # the first only asks
    assert session.reward is not None
    return session


def asked(store: Store, run_id: str) -> list[tuple[Any, ...]]:
    """Return what every query shows and why it was asked, in the order of asking."""
    with reading(store.engine) as connection:

        def arrays_of(segment_id: str) -> dict[str, Any]:
            return segments.load_segment(connection, store.blobs, segment_id).to_arrays()

        rows = connection.execute(queries_table.select().order_by(queries_table.c.created_at)).mappings()
        return [
            (
                *({k: v.tobytes() for k, v in arrays_of(row[s]).items()} for s in ("left_id", "right_id")),
                row["kind"],
                row["score"],
                row["predicted"],
                row["reward_version"],
            )
            for row in rows
            if row["run_id"] == run_id
        ]


def assert_same_arrays(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def event_messages(store: Store, run_id: str, kind: str) -> list[str]:
    with reading(store.engine) as connection:
        return [row["message"] for row in runs.list_events(connection, run_id) if row["kind"] == kind]


def checkpoint_names(store: Store, run_id: str) -> list[str]:
    with reading(store.engine) as connection:
        return [row["arrays"] for row in models.list_checkpoints(connection, run_id)]


def truncate(store: Store, name: str) -> None:
    path = store.blobs.local_path(name)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-100])


def flip_bytes(store: Store, name: str) -> None:
    path = store.blobs.local_path(name)
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def remove(store: Store, name: str) -> None:
    store.blobs.delete(name)


@pytest.mark.parametrize("task", ["pendulum-swingup", "cartpole-balance"])
def test_a_resumed_run_is_bit_equal_to_one_that_was_not_stopped(
    task: str, store: Store, new_small_run: Callable[..., str], copy_store: Callable[[str], Store]
) -> None:
    run_id = new_small_run(task, **BUSY)
    session = learn(store, run_id, turns=2)
    save_checkpoint(session)
    other = copy_store("resumed")
    resumed = open_session(other.engine, other.blobs, run_id, is_simulated=True)
    before = session.reward_version, len(asked(store, run_id))

    take_turns(session, 3)
    take_turns(resumed, 3)

    assert session.reward is not None
    assert resumed.reward is not None
    assert (session.reward_version, len(asked(store, run_id))) > before  # there was something to differ in
    assert resumed.steps == session.steps
    assert_same_arrays(resumed.policy.state_dict(), session.policy.state_dict())
    assert_same_arrays(dict(resumed.reward.to_arrays()), dict(session.reward.to_arrays()))
    for left, right in zip(resumed.memory.rollouts, session.memory.rollouts, strict=True):
        np.testing.assert_array_equal(left.observations, right.observations)
        np.testing.assert_array_equal(left.actions, right.actions)
    assert asked(other, run_id) == asked(store, run_id)


@pytest.mark.parametrize("damage", [truncate, flip_bytes, remove])
def test_a_damaged_newest_checkpoint_is_passed_over_and_said(
    damage: Callable[[Store, str], None], store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run(**BUSY)
    session = learn(store, run_id, turns=1)
    save_checkpoint(session)
    earlier = session.steps
    take_turns(session, 1)
    save_checkpoint(session)
    damage(store, checkpoint_names(store, run_id)[0])

    resumed = open_session(store.engine, store.blobs, run_id, is_simulated=True)

    assert resumed.steps == earlier < session.steps
    (message,) = event_messages(store, run_id, "checkpoint")
    assert f"{session.steps:,} steps cannot be used" in message
    take_turns(resumed, 1)
    assert resumed.steps == session.steps


def test_with_every_checkpoint_damaged_a_run_starts_from_the_beginning(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run(**BUSY)
    session = learn(store, run_id, turns=1)
    save_checkpoint(session)
    names = checkpoint_names(store, run_id)
    for name in names:
        truncate(store, name)

    again = open_session(store.engine, store.blobs, run_id, is_simulated=True)

    assert again.steps == 0
    with reading(store.engine) as connection:
        run = runs.get_run(connection, run_id)
    assert (run["steps"], run["policy_version"], run["reward_version"]) == (0, 0, 0)
    assert len(event_messages(store, run_id, "checkpoint")) == len(names) == 2
    assert len(event_messages(store, run_id, "start")) == 2
    take_turns(again, 2)  # the answers given before are learned from at once
    assert again.reward is not None


def test_only_as_many_checkpoints_as_wanted_are_kept(store: Store, new_small_run: Callable[..., str]) -> None:
    run_id = new_small_run(**BUSY)
    session = learn(store, run_id, turns=1)
    oldest = checkpoint_names(store, run_id)[-1]
    for _ in range(2):
        take_turns(session, 1)
        save_checkpoint(session)
    assert len(checkpoint_names(store, run_id)) == session.config.keep.checkpoints
    path = store.blobs.local_path(oldest)
    assert path is not None
    assert not path.exists()


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write no file beyond 4 kB, as if the disk ended there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_no_checkpoint_that_was_there(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run(**BUSY)
    session = learn(store, run_id, turns=1)
    save_checkpoint(session)
    saved, names = session.steps, checkpoint_names(store, run_id)
    take_turns(session, 1)
    with full_disk(), pytest.raises(StorageError, match="could not be written"):
        save_checkpoint(session)
    assert checkpoint_names(store, run_id) == names
    assert not list(store.settings.data_dir.rglob("*.part"))
    assert open_session(store.engine, store.blobs, run_id, is_simulated=True).steps == saved
    save_checkpoint(session)  # as soon as there is room again
    assert open_session(store.engine, store.blobs, run_id, is_simulated=True).steps == session.steps


def test_nothing_is_asked_for_a_teacher_beyond_its_labels(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run(**{"schedule.labels": 8})
    session = learn(store, run_id, turns=3)
    assert len(asked(store, run_id)) == 8
    with reading(store.engine) as connection:
        assert not queries.list_open(connection, run_id)
    assert session.fitted == 8
