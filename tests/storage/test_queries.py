"""Queries: each pair is shown to one annotator at a time."""

import time
from collections.abc import Callable, Collection
from typing import Any

import pytest
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.loop.record_feedback import Answer, Outcome, record_answer
from rlhf.storage import queries, schema, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


def _lease(store: Store, run_id: str, annotator: str, count: int, exclude: Collection[str] = ()) -> list[str]:
    with writing(store.engine) as connection:
        return [row["id"] for row in queries.lease_ready(connection, run_id, annotator, count, exclude)]


def _let_leases_run_out(store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(schema.queries.update().values(leased_until=time.time() - 0.001))


def _status(store: Store, query_id: str) -> Any:
    with reading(store.engine) as connection:
        return queries.get_query(connection, query_id)["status"]


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


def test_two_annotators_get_different_pairs(store: Store, run_id: str, make_query: Make) -> None:
    made = [make_query(run_id) for _ in range(6)]
    first, second = _lease(store, run_id, "ann", 3), _lease(store, run_id, "bob", 3)
    assert (first, second) == (made[:3], made[3:])


def test_reload_gives_the_same_pairs(store: Store, run_id: str, make_query: Make) -> None:
    for _ in range(6):
        make_query(run_id)
    assert _lease(store, run_id, "ann", 3) == _lease(store, run_id, "ann", 3)


def test_nothing_is_left_for_a_late_comer(store: Store, run_id: str, make_query: Make) -> None:
    make_query(run_id)
    _lease(store, run_id, "ann", 6)
    assert _lease(store, run_id, "bob", 6) == []


def test_pairs_of_an_annotator_who_left_become_free(store: Store, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    _lease(store, run_id, "ann", 1)
    _let_leases_run_out(store)
    assert _lease(store, run_id, "bob", 1) == [query_id]


def test_pairs_the_browser_has_are_kept_but_not_sent_again(
    store: Store, run_id: str, make_query: Make
) -> None:
    old, new = make_query(run_id), make_query(run_id)
    _lease(store, run_id, "ann", 1)
    assert _lease(store, run_id, "ann", 1, exclude=[old]) == [new]
    assert _lease(store, run_id, "bob", 2) == []


def test_asking_for_more_prolongs_the_lease_of_what_the_browser_has(
    store: Store, run_id: str, make_query: Make
) -> None:
    query_id = make_query(run_id)
    _lease(store, run_id, "ann", 1)
    _let_leases_run_out(store)
    _lease(store, run_id, "ann", 0, exclude=[query_id])
    assert _lease(store, run_id, "bob", 1) == []


def test_naming_somebody_elses_pair_does_not_take_it(store: Store, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id)
    _lease(store, run_id, "ann", 1)
    _lease(store, run_id, "bob", 1, exclude=[query_id])
    assert _lease(store, run_id, "ann", 1) == [query_id]


def test_leased_pairs_come_before_older_free_ones(store: Store, run_id: str, make_query: Make) -> None:
    older, leased = make_query(run_id), make_query(run_id)
    _lease(store, run_id, "ann", 1, exclude=[older])
    with writing(store.engine) as connection:
        free = schema.queries.c.id == older
        connection.execute(schema.queries.update().where(free).values(leased_to=None, leased_until=None))
    assert _lease(store, run_id, "ann", 1) == [leased]


@pytest.mark.parametrize("status", [s for s in QueryStatus if s is not QueryStatus.READY])
def test_only_drawn_pairs_are_shown(store: Store, run_id: str, make_query: Make, status: QueryStatus) -> None:
    make_query(run_id, status=status)
    assert _lease(store, run_id, "ann", 5) == []


def test_pairs_of_another_run_are_not_shown(store: Store, make_run: Make, make_query: Make) -> None:
    make_query(make_run())
    assert _lease(store, make_run(), "ann", 5) == []


def test_row_carries_both_clips(store: Store, run_id: str, make_query: Make) -> None:
    make_query(run_id)
    with writing(store.engine) as connection:
        (row,) = queries.lease_ready(connection, run_id, "ann", 1)
    assert (row["left_clip_fps"], row["right_clip_frames"], row["left_ended_at_frame"]) == (20.0, 4, None)


def _expire(store: Store, run_id: str, *, wanted: int) -> int:
    with writing(store.engine) as connection:
        return queries.expire_replaced(connection, run_id, before_reward_version=2, wanted=wanted)


def test_stale_open_pairs_expire_once_replaced(store: Store, run_id: str, make_query: Make) -> None:
    stale = [make_query(run_id, status=status, reward_version=1) for status in queries.OPEN]
    fresh = make_query(run_id, reward_version=2)
    answered = make_query(run_id, status=QueryStatus.ANSWERED, reward_version=1)
    assert _expire(store, run_id, wanted=1) == 2
    assert [_status(store, q) for q in stale] == [QueryStatus.EXPIRED] * 2
    assert _status(store, fresh) is QueryStatus.READY
    assert _status(store, answered) is QueryStatus.ANSWERED


def test_stale_pairs_that_nothing_replaces_stay(store: Store, run_id: str, make_query: Make) -> None:
    for status in queries.OPEN:
        make_query(run_id, status=status, reward_version=1)
    assert _expire(store, run_id, wanted=2) == 0


def test_drawn_pair_gives_way_to_drawn_ones_only(store: Store, run_id: str, make_query: Make) -> None:
    drawn = make_query(run_id, reward_version=1)
    not_drawn = make_query(run_id, status=QueryStatus.RENDERING, reward_version=1)
    promised = make_query(run_id, status=QueryStatus.RENDERING, reward_version=2)
    assert _expire(store, run_id, wanted=1) == 1
    assert [_status(store, q) for q in (drawn, not_drawn)] == [QueryStatus.READY, QueryStatus.EXPIRED]
    with writing(store.engine) as connection:
        queries.set_status(connection, promised, QueryStatus.READY)
    assert _expire(store, run_id, wanted=1) == 1
    assert _status(store, drawn) is QueryStatus.EXPIRED


def test_oldest_stale_pairs_are_replaced_first(store: Store, run_id: str, make_query: Make) -> None:
    oldest, newer = (make_query(run_id, reward_version=1) for _ in range(2))
    make_query(run_id, reward_version=2)
    assert _expire(store, run_id, wanted=2) == 1
    assert [_status(store, q) for q in (oldest, newer)] == [QueryStatus.EXPIRED, QueryStatus.READY]


def test_pair_somebody_looks_at_does_not_expire(store: Store, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id, reward_version=1)
    _lease(store, run_id, "ann", 1)
    make_query(run_id, reward_version=2)
    assert _expire(store, run_id, wanted=1) == 0
    _let_leases_run_out(store)
    assert _expire(store, run_id, wanted=1) == 1
    assert _status(store, query_id) is QueryStatus.EXPIRED


def test_expiry_leaves_other_runs_alone(store: Store, make_run: Make, make_query: Make) -> None:
    query_id, other = make_query(make_run(), reward_version=1), make_run()
    make_query(other, reward_version=2)
    assert _expire(store, other, wanted=1) == 0
    assert _status(store, query_id) is QueryStatus.READY


def test_counts_by_status(store: Store, run_id: str, make_run: Make, make_query: Make) -> None:
    for status in (QueryStatus.READY, QueryStatus.READY, QueryStatus.FAILED):
        make_query(run_id, status=status)
    make_query(make_run())
    with reading(store.engine) as connection:
        assert queries.count_by_status(connection, run_id) == {QueryStatus.READY: 2, QueryStatus.FAILED: 1}


def test_only_the_statuses_asked_for_are_counted(store: Store, run_id: str, make_query: Make) -> None:
    for status in QueryStatus:
        make_query(run_id, status=status)
    with reading(store.engine) as connection:
        counted = queries.count_by_status(connection, run_id, queries.OPEN)
    assert counted == dict.fromkeys(queries.OPEN, 1)


def test_open_pairs_are_listed_oldest_first(store: Store, run_id: str, make_query: Make) -> None:
    made = [make_query(run_id, status=s) for s in (QueryStatus.READY, QueryStatus.RENDERING)]
    make_query(run_id, status=QueryStatus.ANSWERED)
    with reading(store.engine) as connection:
        assert [row["id"] for row in queries.list_open(connection, run_id)] == made


def test_becoming_ready_is_timed(store: Store, run_id: str, make_query: Make) -> None:
    query_id = make_query(run_id, status=QueryStatus.RENDERING)
    with writing(store.engine) as connection:
        assert queries.get_query(connection, query_id)["ready_at"] is None
        queries.set_status(connection, query_id, QueryStatus.READY)
        assert queries.get_query(connection, query_id)["ready_at"] == pytest.approx(time.time(), abs=30)


def test_unknown_query_is_not_found(store: Store) -> None:
    with reading(store.engine) as connection, pytest.raises(NotFoundError):
        queries.get_query(connection, "gone")


def test_stored_words_are_those_of_the_enum(store: Store, run_id: str, make_query: Make) -> None:
    make_query(run_id)
    with reading(store.engine) as connection:
        assert connection.execute(sa.text("SELECT status, kind FROM queries")).all() == [("ready", "active")]


def _answer_as(store: Store, run_id: str, query_id: str, annotator: str, key: str) -> None:
    answer = Answer(key=key, query_id=query_id, choice=Choice.LEFT)
    assert record_answer(store.engine, run_id, annotator, answer).outcome is Outcome.SAVED


@pytest.fixture
def shared(store: Store, run_id: str, make_query: Make) -> str:
    """A pair to be asked of two people."""
    query_id = make_query(run_id)
    with writing(store.engine) as connection:
        connection.execute(schema.queries.update().values(wanted_answers=2))
    return query_id


def test_a_shared_pair_goes_to_the_next_person_as_soon_as_one_has_answered(
    store: Store, run_id: str, shared: str, make_annotator: Make
) -> None:
    ann, bob = make_annotator(), make_annotator()
    assert _lease(store, run_id, ann, 1) == [shared]
    assert _lease(store, run_id, bob, 1) == []
    _answer_as(store, run_id, shared, ann, "answer-1")
    assert _lease(store, run_id, ann, 1) == []
    assert _lease(store, run_id, bob, 1) == [shared]


def test_a_shared_pair_is_done_with_the_second_persons_answer(
    store: Store, run_id: str, shared: str, make_annotator: Make
) -> None:
    ann, bob = make_annotator(), make_annotator()
    _answer_as(store, run_id, shared, ann, "answer-1")
    _answer_as(store, run_id, shared, ann, "answer-2")  # changes her mind, and counts once
    assert _status(store, shared) is QueryStatus.READY
    _answer_as(store, run_id, shared, bob, "answer-3")
    assert _status(store, shared) is QueryStatus.ANSWERED


def test_taking_one_of_two_answers_back_asks_again(
    store: Store, run_id: str, shared: str, make_annotator: Make
) -> None:
    ann, bob = make_annotator(), make_annotator()
    _answer_as(store, run_id, shared, ann, "answer-1")
    _answer_as(store, run_id, shared, bob, "answer-2")
    undo = Answer(key="answer-3", query_id=shared, choice=Choice.UNDO, takes_back="answer-1")
    record_answer(store.engine, run_id, ann, undo)
    assert _lease(store, run_id, bob, 1) == []
    assert _lease(store, run_id, ann, 1) == [shared]


def test_a_shared_pair_answered_once_is_done_when_it_would_expire(
    store: Store, run_id: str, shared: str, make_annotator: Make
) -> None:
    _answer_as(store, run_id, shared, make_annotator(), "answer-1")
    with writing(store.engine) as connection:
        queries.expire_after(connection, run_id, 0)
    assert _status(store, shared) is QueryStatus.ANSWERED


def test_a_shared_pair_that_is_not_drawn_waits_to_be(
    store: Store, run_id: str, shared: str, make_annotator: Make
) -> None:
    with writing(store.engine) as connection:
        queries.set_status(connection, shared, QueryStatus.RENDERING)
    _answer_as(store, run_id, shared, make_annotator(), "answer-1")
    assert _status(store, shared) is QueryStatus.RENDERING


def test_what_somebody_picked_comes_first_and_does_not_expire(
    store: Store, run_id: str, make_query: Make
) -> None:
    older = [make_query(run_id) for _ in range(2)]
    picked = make_query(run_id, kind=QueryKind.PICKED)
    newer = [make_query(run_id, reward_version=9) for _ in range(3)]
    with writing(store.engine) as connection:
        queries.expire_replaced(connection, run_id, before_reward_version=9, wanted=3)
        queries.expire_after(connection, run_id, 0)
    assert [_status(store, one) for one in (*older, *newer)] == [QueryStatus.EXPIRED] * 5
    assert _lease(store, run_id, "ann", 6) == [picked]
    late = [make_query(run_id), make_query(run_id, kind=QueryKind.PICKED)]
    assert _lease(store, run_id, "bob", 6) == late[::-1]


def test_an_open_pair_is_found_by_its_segments_on_either_side(
    store: Store, run_id: str, make_query: Make
) -> None:
    query_id = make_query(run_id, kind=QueryKind.PICKED)
    kinds = (QueryKind.PICKED, QueryKind.ACTIVE)
    with reading(store.engine) as connection:
        query = queries.get_query(connection, query_id)
        arrays = [
            segments.get_segment_row(connection, query[side])["arrays"] for side in ("right_id", "left_id")
        ]
        found = [queries.find_open_pair(connection, run_id, kind, arrays) for kind in kinds]
        one = queries.find_open_pair(connection, run_id, QueryKind.PICKED, arrays[:1])
    assert (found, one) == ([query_id, None], None)
