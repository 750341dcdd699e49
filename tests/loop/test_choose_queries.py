"""What the first questions are drawn from, and what happens where there is little to ask about."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from rlhf.experience.segments import cut
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.choose_queries import _cut_segments, _motions, choose_queries
from rlhf.loop.collect_experience import explore
from rlhf.loop.iterate import iterate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.session import Session, open_session
from rlhf.storage import queries, segments
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import queries as queries_table
from rlhf.types.experience import Episode
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
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


def test_of_the_first_clips_as_many_show_endings_as_are_asked_for(explored: Session) -> None:
    for share in (0.0, 0.25):
        changed = dataclasses.replace(explored.config.queries, endings_share=share)
        asking = dataclasses.replace(explored, config=dataclasses.replace(explored.config, queries=changed))
        some, num_even = _cut_segments(asking, 4)
        assert len(some) - num_even == round(share * len(some))


def test_outcomes_are_chosen_from_beside_what_comes_by(explored: Session) -> None:
    choose_queries(explored)
    ask_teacher(explored.engine, explored.blobs, explored.run_id, 100)
    iterate(explored)
    assert explored.reward is not None
    assert explored.config.reward.use_endings
    some, num_even = _cut_segments(explored, 4)
    endings = some[num_even:]
    assert len(endings) >= 4
    assert all(segment.absorbing.any() and not segment.absorbing.all() for segment in endings)
    assert len({segment.replay.reset_seed for segment in endings}) == len(endings)
    for path in ({"queries": {"endings_share": 0.0}}, {"reward": {"use_endings": False}}):
        (part, settings), *_ = path.items()
        changed = dataclasses.replace(getattr(explored.config, part), **settings)
        without = dataclasses.replace(
            explored, config=dataclasses.replace(explored.config, **{part: changed})
        )
        some, num_even = _cut_segments(without, 4)
        assert len(some) == num_even


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


@pytest.fixture
def taught(store: Store, new_small_run: Callable[..., str]) -> Session:
    """The session of a run that people teach, with its first reward and eight pairs waiting."""
    run_id = new_small_run(TASK, **{"schedule.open_queries": 8})
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 100)
    iterate(session)
    return session


def draw_all(store: Store, run_id: str) -> list[str]:
    """Mark the open pairs drawn, as the renderer would, and return their ids."""
    with writing(store.engine) as connection:
        ids = [row["id"] for row in queries.list_open(connection, run_id)]
        for query_id in ids:
            queries.set_status(connection, query_id, QueryStatus.READY)
    return ids


def count_ready(store: Store, run_id: str) -> int:
    with reading(store.engine) as connection:
        return queries.count_by_status(connection, run_id, (QueryStatus.READY,)).get(QueryStatus.READY, 0)


def test_drawn_pairs_stay_until_newer_ones_are_drawn(store: Store, taught: Session) -> None:
    old = draw_all(store, taught.run_id)
    for _ in range(3):  # rewards come faster than clips are drawn
        taught.reward_version += 2
        choose_queries(taught)
        choose_queries(taught)
        assert count_ready(store, taught.run_id) == 8
    draw_all(store, taught.run_id)
    choose_queries(taught)
    with reading(store.engine) as connection:
        assert {queries.get_query(connection, one)["status"] for one in old} == {QueryStatus.EXPIRED}
    assert count_ready(store, taught.run_id) == 8


def test_what_was_asked_is_remembered_across_a_stop(store: Store, taught: Session) -> None:
    segments_now = [cut(taught.memory.recent[0], 0, 50, taught.task.horizon)] * 2
    motions, asked, _ = _motions(taught, segments_now)
    resumed = dataclasses.replace(taught, motions={})
    again, asked_again, _ = _motions(resumed, segments_now)
    assert len(asked) == 16
    np.testing.assert_array_equal(again, motions)
    np.testing.assert_array_equal(asked_again, asked)


def test_chained_pairs_are_stored_in_order_and_share_a_segment(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    settings = {"schedule.open_queries": 8, "queries.chain_length": 8, "queries.audit_share": 0.0}
    run_id = new_small_run(TASK, **settings | {"queries.look_alike_distance": 0.0, "queries.tie_spread": 0.0})
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 100)
    iterate(session)
    with reading(store.engine) as connection:
        shown = [{row["left_id"], row["right_id"]} for row in queries.list_open(connection, run_id)]
    shared = [len(one & other) for one, other in itertools.pairwise(shown)]
    assert len(shown) == 8
    assert shared.count(1) >= 4
    assert len(set.union(*shown)) == 16 - shared.count(1)


@pytest.mark.parametrize(("num_people", "wanted"), [(1, 1), (2, 3)])
def test_pairs_are_asked_of_several_only_while_several_answer(
    store: Store,
    new_small_run: Callable[..., str],
    make_annotator: Callable[..., str],
    num_people: int,
    wanted: int,
) -> None:
    run_id = new_small_run(TASK, **{"queries.overlap_share": 1.0, "queries.overlap_answers": 3})
    session = open_session(store.engine, store.blobs, run_id)
    explore(session)
    choose_queries(session)
    with reading(store.engine) as connection:
        first = [row["id"] for row in queries.list_open(connection, run_id)]
    for number in range(num_people):
        answer = Answer(key=f"answer-{number}", query_id=first[number], choice=Choice.LEFT)
        record_answer(store.engine, run_id, make_annotator(), answer)
    with writing(store.engine) as connection:
        connection.execute(queries_table.update().values(status=QueryStatus.ANSWERED))
    assert choose_queries(session)
    with reading(store.engine) as connection:
        assert {row["wanted_answers"] for row in queries.list_open(connection, run_id)} == {wanted}
