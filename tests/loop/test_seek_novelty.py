"""Behaviour worth asking about, from a policy that seeks what is new."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.fork_run import fork_run
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import models, queries, runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

SEEKING = {"collect.novelty_steps": 1_500, "schedule.total_steps": 8_000}
"""A dozen rollouts of the small run."""


def events(session: Session, kind: str) -> list[str]:
    with reading(session.engine) as connection:
        return [row["message"] for row in runs.list_events(connection, session.run_id) if row["kind"] == kind]


def num_open(session: Session) -> int:
    with reading(session.engine) as connection:
        return len(queries.list_open(connection, session.run_id))


def open_simulated(store: Store, run_id: str) -> Session:
    return open_session(store.engine, store.blobs, run_id, is_simulated=True)


def explore_to_the_end(session: Session) -> None:
    while iterate(session) is Turn.EXPLORED and session.is_exploring:
        pass


def test_a_teacher_is_asked_when_all_was_tried(store: Store, new_small_run: Callable[..., str]) -> None:
    session = open_simulated(store, new_small_run(**SEEKING))
    turns = []
    while not num_open(session):
        turns.append(iterate(session))
        assert len(turns) < 20
    assert set(turns) == {Turn.EXPLORED}
    assert session.explorer == session.policy.version == len(turns) > 1
    assert session.gates.since_version == session.explorer
    assert any("sought what is new" in message for message in events(session, "explore"))
    with reading(store.engine) as connection:
        row = models.get_policy_version(connection, session.run_id, session.explorer)
    assert (row["reward_version"], row["steps"]) == (0, session.steps)
    assert iterate(session) is Turn.WAITING  # it is over, and nobody has answered
    played = {episode.policy_version for episode in session.memory.explored}
    assert len(played) > 1  # the first questions are drawn from all of it
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    version = session.policy.version
    assert iterate(session) is Turn.LEARNED
    assert session.policy.version == version + 1  # goes on from what it had come to


def test_people_are_asked_at_once_and_it_goes_on_to_its_end(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    session = open_session(store.engine, store.blobs, new_small_run(**SEEKING))
    assert iterate(session) is Turn.EXPLORED
    assert num_open(session) > 0
    with reading(store.engine) as connection:
        row = runs.get_run(connection, session.run_id)
    assert "tries what is new" in row["message"]
    assert row["steps"] == session.steps
    assert 0 < num_open(session) <= session.config.schedule.first_answers  # later ones show what is new
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    assert iterate(session) is Turn.EXPLORED
    assert session.reward is not None
    assert num_open(session) > 0
    explore_to_the_end(session)
    assert session.steps >= session.explore_until
    assert session.explorer == session.policy.version > 1
    assert iterate(session) is Turn.LEARNED
    assert num_open(session) > session.config.schedule.first_answers
    assert not session.memory.explored


def test_a_run_that_was_stopped_goes_on_seeking_the_same(
    store: Store, new_small_run: Callable[..., str], copy_store: Callable[[str], Store]
) -> None:
    run_id = new_small_run(**SEEKING)
    session = open_simulated(store, run_id)
    iterate(session)
    save_checkpoint(session)
    other = copy_store("resumed")
    resumed = open_simulated(other, run_id)
    for one in (session, resumed):
        explore_to_the_end(one)
    assert resumed.explorer == session.explorer > 1
    first, second = session.policy.state_dict(), resumed.policy.state_dict()
    np.testing.assert_array_equal(first["actor.parameters"], second["actor.parameters"])


def test_every_start_begins_from_the_explorer(store: Store, new_small_run: Callable[..., str]) -> None:
    session = open_simulated(store, new_small_run(**SEEKING, **{"improve.restarts": [0.75]}))
    explore_to_the_end(session)

    def weights() -> np.ndarray:
        return np.array(session.policy.state_dict()["actor.parameters"])

    explorer = weights()
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    while not events(session, "restart"):
        before = weights()
        iterate(session)
    assert f"from version {session.explorer}" in events(session, "restart")[0]
    assert np.linalg.norm(weights() - explorer) < np.linalg.norm(before - explorer)  # one update away


def test_a_policy_that_knows_something_does_not_explore(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    source = open_simulated(store, new_small_run())
    iterate(source)
    ask_teacher(store.engine, store.blobs, source.run_id, 100)
    iterate(source)
    run_id = fork_run(store.engine, store.blobs, source.run_id, take=["policy"], overrides=SEEKING)
    session = open_simulated(store, run_id)
    assert iterate(session) is Turn.WAITING
    assert session.explorer == 0


@pytest.mark.learning
def test_it_finds_what_random_behaviour_does_not(store: Store, new_small_run: Callable[..., str]) -> None:
    changes = {
        "collect.num_envs": 16,
        "ppo.num_steps": 128,
        "collect.novelty_steps": 40_000,
        "schedule.total_steps": 200_000,
    }
    session = open_simulated(store, new_small_run("mountaincar-climb", **changes))
    iterate(session)
    highest = max(e.observations[:, 0].max() for e in session.memory.explored if e.policy_version == 0)
    explore_to_the_end(session)
    reached = [e.terminated for e in session.memory.explored if e.policy_version > 10]
    assert highest < 0.5  # the flag
    assert np.mean(reached) > 0.1
