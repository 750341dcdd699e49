"""What the first questions are drawn from, and what happens where there is little to ask about."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.choose_queries import choose_queries
from rlhf.loop.collect_experience import explore
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.storage import segments
from rlhf.storage.engine import reading
from rlhf.storage.schema import queries as queries_table
from rlhf.types.experience import Episode
from rlhf.ui.store import Store

TASK = "cartpole-balance"


def seeds_asked_about(store: Store, run_id: str) -> set[int]:
    with reading(store.engine) as connection:
        rows = connection.execute(queries_table.select()).mappings()
        ids = [row[side] for row in rows for side in ("left_id", "right_id") if row["run_id"] == run_id]
        return {segments.load_segment(connection, store.blobs, i).replay.reset_seed for i in ids}


@pytest.fixture
def explored(store: Store, new_small_run: Callable[..., str]) -> Session:
    """A session that has explored for some hundred short episodes and asked nothing yet."""
    run_id = new_small_run(TASK, **{"collect.explore_steps": 2000})
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    explore(session)
    return session


def test_the_first_questions_are_about_the_whole_exploration(store: Store, explored: Session) -> None:
    remembered = {e.reset_seed for e in (*explored.memory.recent, *explored.memory.older)}
    assert choose_queries(explored) == 8
    assert len(seeds_asked_about(store, explored.run_id) - remembered) >= 4


def test_the_exploration_survives_a_stop(
    store: Store, new_small_run: Callable[..., str], copy_store: Callable[[str], Store]
) -> None:
    run_id = new_small_run(TASK)
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)  # saves itself after exploring and before asking
    other = copy_store("stopped")
    resumed = open_session(other.engine, other.blobs, run_id)
    assert [e.reset_seed for e in resumed.memory.explored] == [e.reset_seed for e in session.memory.explored]
    assert resumed.memory.explored


def test_the_exploration_is_let_go_once_there_is_a_reward(explored: Session) -> None:
    choose_queries(explored)
    ask_teacher(explored.engine, explored.blobs, explored.run_id, 100)
    assert explored.memory.explored
    iterate(explored)
    assert explored.reward is not None
    assert not explored.memory.explored


@pytest.mark.parametrize("num_steps", [49, 50])
def test_nothing_is_asked_about_fewer_than_two_segments(num_steps: int, explored: Session) -> None:
    source = explored.memory.recent[0]
    only = Episode(
        observations=np.zeros((num_steps + 1, source.observations.shape[1]), np.float32),
        actions=np.zeros(num_steps, np.int64),
        terminated=False,
        reset_seed=1,
        policy_version=0,
    )
    explored.memory.forget_exploration()
    explored.memory.recent.clear()
    explored.memory.older.clear()
    explored.memory.add([only], [np.ones(num_steps)])
    assert choose_queries(explored) == 0
