"""Warnings of a reward gone wrong: planted loopholes raise them, healthy runs do not."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.choose_queries import _settings
from rlhf.loop.collect_experience import collect_experience
from rlhf.loop.compare_policies import compare_policies
from rlhf.loop.gates import check_gates
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.iterate import iterate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.score_rollout import Scored, score_rollout
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.loop.simulate import simulate
from rlhf.storage import queries, runs, schema
from rlhf.storage.engine import reading
from rlhf.storage.segments import get_segment_row
from rlhf.types.feedback import Choice, QueryKind
from rlhf.ui.store import Store

Make = Callable[..., Any]


def messages(store: Store, run_id: str, *kinds: str) -> list[str]:
    with reading(store.engine) as connection:
        return [row["message"] for row in runs.list_events(connection, run_id, 500) if row["kind"] in kinds]


@pytest.fixture
def learn(store: Store, new_small_run: Make) -> Callable[..., Session]:
    """``learn(**settings)`` returns the session of a run that people teach and that has its first reward."""

    def make(**settings: Any) -> Session:
        run_id = new_small_run(**{"schedule.open_queries": 16, "queries.audit_share": 1.0} | settings)
        session = open_session(store.engine, store.blobs, run_id)
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
        iterate(session)
        return session

    return make


def answer_audits(session: Session, annotator: str, *, as_foreseen: bool) -> int:
    def choose(predicted: float) -> Choice:
        return Choice.LEFT if (predicted > 0.5) == as_foreseen else Choice.RIGHT

    return answer(session, annotator, choose)


def answer(session: Session, annotator: str, choose: Callable[[float], Choice]) -> int:
    """Answer all open pairs by what was predicted of them; return how many there were."""
    with reading(session.engine) as connection:
        rows = queries.list_open(connection, session.run_id)
    for row in rows:
        assert row["kind"] is QueryKind.AUDIT
        given = Answer(key=f"key-{row['id'][:12]}", query_id=row["id"], choice=choose(row["predicted"]))
        record_answer(session.engine, session.run_id, annotator, given)
    return len(rows)


def predict(session: Session, probability: float) -> None:
    """Let the reward have said this of all open pairs."""
    with reading(session.engine) as connection:
        asked = [row["id"] for row in queries.list_open(connection, session.run_id)]
    with session.writing() as connection:
        chosen = schema.queries.update().where(schema.queries.c.id.in_(asked))
        connection.execute(chosen.values(predicted=probability))


@pytest.mark.parametrize(("as_foreseen", "number"), [(False, 1), (True, 0)])
def test_answers_that_were_not_foreseen_raise_the_audit_warning(
    as_foreseen: bool, number: int, store: Store, learn: Callable[..., Session], make_annotator: Make
) -> None:
    session = learn()
    assert answer_audits(session, make_annotator(), as_foreseen=as_foreseen) >= 12
    iterate(session)
    warned = messages(store, session.run_id, "warning")
    assert sum("may be wrong about what people want" in message for message in warned) == number
    with reading(store.engine) as connection:
        curves = runs.get_curves(connection, session.run_id, ["reward/audit_accuracy_high"])
    assert (curves[-1][2] < 0.65) is not as_foreseen


def test_bad_luck_with_coin_tosses_raises_no_audit_warning(
    store: Store, learn: Callable[..., Session], make_annotator: Make
) -> None:
    session, person = learn(), make_annotator()
    predict(session, 0.95)
    with reading(store.engine) as connection:
        asked = [row["id"] for row in queries.list_open(connection, session.run_id)]
    tossed = [query_id for index, query_id in enumerate(asked) if index % 3]
    with session.writing() as connection:
        chosen = schema.queries.update().where(schema.queries.c.id.in_(tossed))
        connection.execute(chosen.values(predicted=0.495))
    assert answer(session, person, lambda predicted: Choice.LEFT) >= 12
    iterate(session)
    with reading(store.engine) as connection:
        curves = runs.get_curves(connection, session.run_id, ["reward/audit_accuracy_high"])
    assert curves[-1][2] < 0.65
    assert messages(store, session.run_id, "warning") == []


@pytest.mark.parametrize(("as_foreseen", "number"), [(False, 1), (True, 0)])
def test_answers_against_what_was_sure_raise_the_surprise_warning(
    as_foreseen: bool, number: int, store: Store, learn: Callable[..., Session], make_annotator: Make
) -> None:
    session = learn()
    predict(session, 0.95)
    answer_audits(session, make_annotator(), as_foreseen=as_foreseen)
    iterate(session)
    warned = messages(store, session.run_id, "warning")
    assert sum("contradict what the reward model was sure of" in message for message in warned) == number


def scored(mean: float, spread: float) -> Scored:
    shape = (4, 2)
    flat = [np.full(shape, value, np.float32) for value in (mean, 0.0, mean, spread, 0.0)]
    return Scored(
        rewards=flat[0],
        absorbing_rewards=flat[1],
        mean=flat[2],
        spread=flat[3],
        shaping=flat[4],
    )


def test_a_reward_that_rises_with_the_doubt_raises_the_drift_warning(
    store: Store, learn: Callable[..., Session]
) -> None:
    session = learn()
    for update in range(6):
        check_gates(session, scored(0.3 * update, 0.3 * update), is_saved=False)
    assert loopholes(store, session) == 1


def loopholes(store: Store, session: Session) -> int:
    """Number of drift warnings; a growing doubt may rightly be warned of as unfamiliar, too."""
    return sum("loophole" in message for message in messages(store, session.run_id, "warning"))


def test_a_reward_that_rises_without_doubt_raises_none(store: Store, learn: Callable[..., Session]) -> None:
    session = learn()
    for update in range(12):
        check_gates(session, scored(0.3 * update, 0.0), is_saved=False)
    assert messages(store, session.run_id, "warning") == []


def look_at(session: Session, scale: float) -> None:
    """Let the gates see a rollout of behaviour ``scale`` times as large as the policy's."""
    rollout = collect_experience(session)
    grown = {name: getattr(rollout, name) * scale for name in ("observations", "next_observations")}
    assert session.reward is not None
    seen = score_rollout(session, dataclasses.replace(rollout, **grown), session.reward, 0.0)
    check_gates(session, seen, is_saved=False)


def test_behaviour_unlike_any_answered_clip_is_warned_of_and_asked_about(
    store: Store, learn: Callable[..., Session]
) -> None:
    session = learn()
    session.gates.forget_readings()
    for _ in range(5):
        look_at(session, 1.0)
    assert messages(store, session.run_id, "warning") == []
    assert _settings(session).low_density_share == 0.0
    for _ in range(5):
        look_at(session, 30.0)
    warned = messages(store, session.run_id, "warning")  # that it may have found a loophole, as well
    assert sum("unlike anything asked about" in message for message in warned) == 1
    assert _settings(session).low_density_share == session.config.gates.unfamiliar_queries


def test_a_warning_is_given_once_for_each_reward_version(store: Store, learn: Callable[..., Session]) -> None:
    session = learn()
    for _ in range(3):
        for update in range(6):
            check_gates(session, scored(0.3 * update, 0.3 * update), is_saved=False)
        for _ in range(6):
            check_gates(session, scored(0.0, 0.0), is_saved=False)
    assert loopholes(store, session) == 1
    assert session.gates.standing == []


def test_what_the_gates_know_survives_a_stop(store: Store, learn: Callable[..., Session]) -> None:
    session = learn()
    for update in range(6):
        check_gates(session, scored(0.3 * update, 0.3 * update), is_saved=False)
    save_checkpoint(session)
    assert open_session(store.engine, store.blobs, session.run_id).gates == session.gates


@pytest.mark.parametrize(("prefers_newer", "number"), [(False, 1), (True, 0)])
def test_people_who_prefer_older_policies_raise_a_warning(
    prefers_newer: bool, number: int, store: Store, learn: Callable[..., Session], make_annotator: Make
) -> None:
    session = learn(**{"queries.win_rate_share": 1.0})
    save_policy(session)
    asked = compare_policies(store.engine, store.blobs, session.run_id, session.policy.version)
    assert asked >= 5
    annotator = make_annotator()
    with reading(store.engine) as connection:
        rows = queries.list_unanswered(connection, session.run_id)
        blind = [row for row in rows if row["kind"] is QueryKind.WIN_RATE]
        lefts = [get_segment_row(connection, row["left_id"])["policy_version"] for row in blind]
    for row, left in zip(blind, lefts, strict=True):
        is_newer = left == session.policy.version
        choice = Choice.LEFT if is_newer == prefers_newer else Choice.RIGHT
        answer = Answer(key=f"key-{row['id'][:12]}", query_id=row["id"], choice=choice)
        record_answer(session.engine, session.run_id, annotator, answer)
    for _ in range(2):
        check_gates(session, scored(0.0, 0.0), is_saved=True)
    warned = messages(store, session.run_id, "warning")
    assert sum("like newer versions less" in message for message in warned) == number


def test_a_healthy_run_warns_of_nothing_and_never_goes_back(store: Store, new_small_run: Make) -> None:
    settings = {
        "schedule.total_steps": 12_000,
        "schedule.labels": 40,
        "ppo.num_steps": 64,
        "ppo.hidden": "32",
        "reward.hidden": "16",
        "reward.num_members": 3,
        "reward.max_epochs": 40,
        "gates.contest_share": 0.1,
    }
    run_id = new_small_run("cartpole-balance", **settings)
    simulate(store.engine, store.blobs, run_id, lambda *_: None)
    assert messages(store, run_id, "warning", "rollback") == []
