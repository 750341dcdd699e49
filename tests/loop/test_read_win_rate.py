"""What answers to blind pairs say of newer policies, whichever side they were on."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from rlhf.loop import supervise
from rlhf.loop.read_win_rate import BlindAnswers, read_win_rate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import models, queries
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., Any]
Ask = Callable[..., str]


@pytest.fixture
def run_id(store: Store, make_run: Make) -> str:
    """A run with policies 0, 10 and 20, saved a thousand steps after each other."""
    made: str = make_run()
    with writing(store.engine) as connection:
        for version in (0, 10, 20):
            facts: dict[str, Any] = {"steps": 100 * version, "reward_version": 0, "num_answers": 0}
            models.insert_policy_version(connection, made, version, arrays="none", **facts)
    return made


@pytest.fixture
def ask(run_id: str, make_blind_pair: Make) -> Ask:
    """``ask(left, right)`` adds a blind pair of two versions and returns its id."""
    return lambda left, right: make_blind_pair(run_id, left, right)


@pytest.fixture
def say(store: Store, run_id: str, make_annotator: Make) -> Callable[..., str]:
    """``say(query, choice)`` answers as one person and returns the answer's key."""
    person, keys = make_annotator(), itertools.count()

    def give(query_id: str, choice: Choice, *, by: str = person, **fields: Any) -> str:
        key = f"key-{next(keys):05}"
        given = Answer(key=key, query_id=query_id, choice=choice, **fields)
        record_answer(store.engine, run_id, by, given)
        return key

    return give


def read(store: Store, run_id: str) -> BlindAnswers:
    with reading(store.engine) as connection:
        return read_win_rate(connection, run_id)


def test_the_newer_one_wins_on_either_side(
    store: Store, run_id: str, ask: Ask, say: Callable[..., str]
) -> None:
    say(ask(10, 0), Choice.LEFT)
    say(ask(0, 10), Choice.LEFT)
    say(ask(0, 10), Choice.EQUAL)
    say(ask(0, 10), Choice.LEFT, is_swapped=True)  # as this person saw it the newer one was on the left
    found = read(store, run_id)
    assert found.won.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert set(found.newer) == {10}
    assert set(found.older) == {0}
    assert set(found.steps) == {1000}


def test_answers_come_in_the_order_of_the_policies(
    store: Store, run_id: str, ask: Ask, say: Callable[..., str]
) -> None:
    later, earlier = ask(20, 10), ask(10, 0)
    say(later, Choice.LEFT)
    say(earlier, Choice.RIGHT)
    found = read(store, run_id)
    assert (found.newer.tolist(), found.won.tolist()) == ([10, 20], [0.0, 1.0])


def test_what_says_nothing_is_left_out(
    store: Store, run_id: str, ask: Ask, say: Callable[..., str], make_query: Make
) -> None:
    say(ask(10, 0), Choice.SKIP)
    say(make_query(run_id), Choice.LEFT)  # no blind pair
    say(ask(30, 0), Choice.LEFT)  # a policy of a stretch that was run again
    undone = ask(10, 0)
    say(undone, Choice.UNDO, takes_back=say(undone, Choice.LEFT))
    late = ask(10, 0)
    with writing(store.engine) as connection:
        queries.set_status(connection, late, QueryStatus.EXPIRED)
    say(late, Choice.LEFT)
    assert len(read(store, run_id).won) == 0


def test_people_who_do_not_count_are_left_out(
    store: Store, run_id: str, ask: Ask, say: Callable[..., str], make_annotator: Make
) -> None:
    careless = make_annotator()
    say(ask(10, 0), Choice.LEFT, by=careless)
    say(ask(10, 0), Choice.RIGHT)
    supervise.weigh(store.engine, run_id, careless, 0.0, by="me", reason="")
    assert read(store, run_id).won.tolist() == [0.0]
