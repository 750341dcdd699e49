"""Blind pairs: what they show, how often they are asked, and that no reward learns from them."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from rlhf.loop.ask_again import REPEAT_AFTER
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.compare_policies import compare_policies
from rlhf.loop.fit_reward import fit_reward, teaching_answers
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.iterate import iterate
from rlhf.loop.read_orders import read_orders
from rlhf.loop.record_item import record_item
from rlhf.loop.session import Session, open_session
from rlhf.storage import answers, jobs, queries
from rlhf.storage.engine import reading, writing
from rlhf.storage.segments import load_segment, load_true_rewards
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind, QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., Any]
_KEYS = itertools.count()


@pytest.fixture
def learned(store: Store, new_small_run: Make) -> Callable[..., Session]:
    """``learned(task)`` returns the session of a run with 8 answers, a reward, and policies 0 to 2 saved."""

    def make(task: str = "pendulum-swingup", **settings: Any) -> Session:
        run_id = new_small_run(task, **{"queries.win_rate_share": 0.25} | settings)
        session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
        for _ in range(2):
            iterate(session)
            save_policy(session)
        return session

    return make


def compare(session: Session, version: int) -> int:
    return compare_policies(session.engine, session.blobs, session.run_id, version)


def blind(session: Session) -> list[sa.RowMapping]:
    """Return the blind pairs, the oldest first; teachers may answer them, and they are no open questions."""
    with reading(session.engine) as connection:
        waiting = queries.list_unanswered(connection, session.run_id)
        teaching = {row["id"] for row in queries.list_open(connection, session.run_id)}
    found = [row for row in waiting if row["kind"] is QueryKind.WIN_RATE]
    assert teaching.isdisjoint(row["id"] for row in found)
    return found


def answer(session: Session, annotator: str, query_id: str, **fields: Any) -> None:
    item = {"key": f"key-{next(_KEYS):05}", "query_id": query_id} | fields
    record_item(session.engine, session.run_id, annotator, item)


@pytest.mark.parametrize("task", ["pendulum-swingup", "cartpole-balance"])
def test_a_pair_shows_the_same_stretch_of_two_policies(learned: Callable[..., Session], task: str) -> None:
    session = learned(task)
    assert compare(session, 2) == 2  # a quarter of the 8 answers
    for row in blind(session):
        with reading(session.engine) as connection:
            sides = [load_segment(connection, session.blobs, row[side]) for side in ("left_id", "right_id")]
            truths = load_true_rewards(connection, session.blobs, [row["left_id"], row["right_id"]])
        assert {side.policy_version for side in sides} == {0, 2}
        assert len({(side.replay.reset_seed, side.replay.start, side.num_steps) for side in sides}) == 1
        assert all(side.num_real_steps > 0 for side in sides)
        for side, truth in zip(sides, truths, strict=True):
            assert truth.shape == (side.num_steps,)
            assert (truth[side.absorbing] == 0.0).all()
            assert (truth[~side.absorbing] != 0.0).all()
        assert row["policy_version"] == 2
        assert 0.0 <= row["predicted"] <= 1.0


def test_each_policy_is_compared_with_the_one_compared_last(learned: Callable[..., Session]) -> None:
    session = learned(**{"queries.win_rate_share": 1.0})
    assert compare(session, 0) == 0  # nothing is earlier
    assert compare(session, 1) > 0
    first = {row["id"] for row in blind(session)}
    assert compare(session, 2) > 0
    for row in blind(session):
        with reading(session.engine) as connection:
            sides = [load_segment(connection, session.blobs, row[side]) for side in ("left_id", "right_id")]
        shown = {side.policy_version for side in sides}
        assert shown == ({0, 1} if row["id"] in first else {1, 2})


def test_no_more_are_asked_than_their_share_of_the_answers(learned: Callable[..., Session]) -> None:
    session = learned()
    assert [compare(session, 1), compare(session, 1), compare(session, 2)] == [2, 0, 0]
    none = learned(**{"queries.win_rate_share": 0.0})
    assert compare(none, 2) == 0


def test_the_newer_one_is_on_either_side(learned: Callable[..., Session]) -> None:
    session = learned(**{"queries.win_rate_share": 1.0})
    for version in (1, 2, 2, 2):
        compare(session, version)
    rows = blind(session)
    with reading(session.engine) as connection:
        is_newer = [
            load_segment(connection, session.blobs, row["left_id"]).policy_version == row["policy_version"]
            for row in rows
        ]
    assert 0 < sum(is_newer) < len(is_newer)


def test_the_renderer_is_asked_to_draw_them(learned: Callable[..., Session]) -> None:
    session = learned()
    compare(session, 2)
    with writing(session.engine) as connection:
        drawn = {
            jobs.claim(connection, (JobKind.RENDER,), "renderer")["subject"]  # type: ignore[index]
            for _ in range(2)
        }
    assert drawn == {row["id"] for row in blind(session)}


def test_a_teacher_answers_them_too(learned: Callable[..., Session]) -> None:
    session = learned()
    compare(session, 2)
    assert ask_teacher(session.engine, session.blobs, session.run_id, 100) == 2
    with reading(session.engine) as connection:
        assert len(answers.list_win_rate_answers(connection, session.run_id)) == 2


def test_no_reward_learns_from_the_answers(learned: Callable[..., Session], make_annotator: Make) -> None:
    session = learned(**{"schedule.labels": 100, "schedule.refit_answers": 1, "schedule.refit_share": 0.0})
    fit_reward(session)
    with reading(session.engine) as connection:
        before, _ = teaching_answers(connection, session.run_id)
    compare(session, 2)
    person, pairs = make_annotator(), blind(session)
    answer(session, person, pairs[0]["id"], choice="left")
    for side, rating in (("left", 5), ("right", 1)):
        answer(session, person, pairs[1]["id"], form="rating", side=side, rating=rating)
    with reading(session.engine) as connection:
        rows, _ = teaching_answers(connection, session.run_id)
        assert len(answers.list_win_rate_answers(connection, session.run_id)) == 2
        assert answers.count_changes(connection, session.run_id, session.fitted_id) == 0
        everybody = [*rows, {"annotator_id": person, "details": {}}]
        assert read_orders(connection, session.run_id, everybody).compared == ()  # type: ignore[arg-type]
    assert [row["id"] for row in rows] == [row["id"] for row in before]
    assert fit_reward(session) is None


def test_a_ranking_with_such_a_pair_in_it_teaches_only_what_its_other_pair_says(
    learned: Callable[..., Session], make_annotator: Make, make_query: Make
) -> None:
    session, person = learned(), make_annotator()
    compare(session, 2)
    pairs = [make_query(session.run_id), blind(session)[0]["id"]]
    best = [[pairs[0], "left"]]
    answer(session, person, pairs[0], form="ranking", query_ids=pairs, places=best)
    with reading(session.engine) as connection:
        rows, _ = teaching_answers(connection, session.run_id)
        orders = read_orders(connection, session.run_id, rows)
    assert (orders.rankings, orders.replaced) == ((), frozenset())
    assert rows[-1]["query_id"] == pairs[0]


def test_they_are_not_shown_again_to_be_learned_from(
    learned: Callable[..., Session], make_annotator: Make, make_query: Make
) -> None:
    session, person = learned(), make_annotator()
    compare(session, 2)
    answer(session, person, blind(session)[0]["id"], choice="left")
    for _ in range(REPEAT_AFTER):
        answer(session, person, make_query(session.run_id), choice="left")
    with reading(session.engine) as connection:
        repeatable = answers.list_repeatable(
            connection, session.run_id, person, after=REPEAT_AFTER, limit=100
        )
    assert repeatable == []


def test_they_neither_fill_nor_leave_the_buffer(store: Store, new_small_run: Make) -> None:
    """A newer reward version lets go of stale questions, and blind pairs are none."""
    settings = {"queries.win_rate_share": 0.5, "schedule.open_queries": 8, "schedule.first_answers": 4}
    run_id = new_small_run(teacher="oracle", **settings)
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 4)
    iterate(session)
    save_policy(session)
    assert compare(session, session.policy.version) > 0
    asked = {row["id"] for row in blind(session)}
    with writing(store.engine) as connection:
        for query_id in asked:
            queries.set_status(connection, query_id, QueryStatus.READY)
        queries.expire_replaced(connection, run_id, before_reward_version=100, wanted=0)
    assert {row["id"] for row in blind(session)} == asked
    iterate(session)
    with reading(store.engine) as connection:
        assert len(queries.list_open(connection, run_id)) == 8


def test_the_same_run_asks_the_same(learned: Callable[..., Session]) -> None:
    """The pairs are drawn from the run's seed, so that a simulation can be repeated."""
    shown = []
    for session in (learned(), learned()):
        compare(session, 2)
        with reading(session.engine) as connection:
            sides = [load_segment(connection, session.blobs, row["left_id"]) for row in blind(session)]
        shown.append(np.stack([side.observations for side in sides]))
    np.testing.assert_array_equal(shown[0], shown[1])
