"""The best policy stored against the newest: who is crowned, and going back without losing an answer."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import RlhfError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.champion import _reward_per_step, challenger_episodes, judge, roll_back
from rlhf.loop.iterate import iterate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import answers, models, queries, runs
from rlhf.storage.engine import reading
from rlhf.storage.segments import get_segment_row
from rlhf.types.feedback import Choice, QueryKind
from rlhf.ui.store import Store

Make = Callable[..., Any]
# Every query is a contest, and every policy is saved and compared with the champion.
CONTESTS = {
    "schedule.open_queries": 8,
    "schedule.refit_answers": 100,
    "schedule.total_steps": 20_000,
    "keep.policies": 1000,
    "gates.contest_share": 1.0,
    "gates.min_updates": 2,
    "gates.worse_by": 1e9,
    "gates.unfamiliar_share": 1.0,
}


@pytest.fixture
def crowned(store: Store, new_small_run: Make) -> Callable[..., Session]:
    """``crowned(**settings)`` returns a session whose policy has a champion to beat."""

    def make(**settings: Any) -> Session:
        run_id = new_small_run("cartpole-balance", **CONTESTS | settings)
        session = open_session(store.engine, store.blobs, run_id)
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
        for _ in range(30):
            iterate(session)
            ask_teacher(store.engine, store.blobs, run_id, 100)  # so that there is room for contests
            if session.gates.champion is not None:
                return session
        raise AssertionError("no policy was crowned")

    return make


def answer_contests(session: Session, annotator: str, *, for_newest: bool) -> int:
    """Answer all open contests for one side and skip the rest; return how many contests there were."""
    with reading(session.engine) as connection:
        rows = queries.list_open(connection, session.run_id)
    for row in rows:
        newest_is_left = session.gates.contests.get(row["id"])
        choice = Choice.LEFT if newest_is_left == for_newest else Choice.RIGHT
        if newest_is_left is None:
            choice = Choice.SKIP
        answer = Answer(key=f"key-{row['id'][:12]}", query_id=row["id"], choice=choice)
        record_answer(session.engine, session.run_id, annotator, answer)
    return sum(row["kind"] is QueryKind.CONTEST for row in rows)


def events(session: Session, kind: str) -> list[str]:
    with reading(session.engine) as connection:
        return [e["message"] for e in runs.list_events(connection, session.run_id) if e["kind"] == kind]


def standing(session: Session) -> list[tuple[str, Choice]]:
    with reading(session.engine) as connection:
        return [(r["key"], r["choice"]) for r in answers.standing_answers(connection, session.run_id)]


def lose(session: Session, annotator: str) -> list[tuple[str, Choice]]:
    """Let people prefer the champion until that has a consequence; return the answers given until then."""
    for _ in range(20):
        iterate(session)
        if events(session, "rollback"):
            return standing(session)
        answer_contests(session, annotator, for_newest=False)
    raise AssertionError("nothing came of it")


def succeed(session: Session) -> None:
    """Let the policy go on for some episodes without becoming the champion."""
    keep = dataclasses.replace(session.config.keep, policies=1)
    session.config = dataclasses.replace(session.config, keep=keep)
    for _ in range(6):
        iterate(session)


def acting(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name != "version"}


def test_a_policy_that_people_like_less_goes_back_and_learns_on(
    store: Store, crowned: Callable[..., Session], make_annotator: Make
) -> None:
    session = crowned()
    champion = session.gates.champion
    assert champion is not None
    before = lose(session, make_annotator())

    (message,) = events(session, "rollback")
    assert f"Went back to policy version {champion.version}," in message
    with reading(store.engine) as connection:
        best = models.get_policy_version(connection, session.run_id, champion.version)
        latest = models.list_policy_versions(connection, session.run_id)[-1]
    stored = acting(store.blobs.read_arrays(best["arrays"])[0])
    now = session.policy.policy_arrays()
    for name, array in acting(now).items():
        np.testing.assert_array_equal(array, stored[name], err_msg=name)
    assert latest["version"] == session.policy.version > champion.version + 2
    assert standing(session) == before

    version, steps = session.policy.version, session.steps
    for _ in range(3):
        iterate(session)
    assert session.policy.version == version + 3
    assert session.steps > steps
    assert not session.reward_is_new
    assert any((acting(session.policy.policy_arrays())[k] != v).any() for k, v in acting(now).items())
    assert standing(session) == before


def test_answers_before_and_after_going_back_are_learned_from(
    crowned: Callable[..., Session], make_annotator: Make
) -> None:
    session = crowned(**{"schedule.refit_answers": 1, "schedule.refit_share": 0.0})
    annotator = make_annotator()
    given = len(lose(session, annotator))
    for _ in range(20):
        if answer_contests(session, annotator, for_newest=True):
            break
        iterate(session)
    iterate(session)
    assert session.fitted == sum(choice is not Choice.SKIP for _, choice in standing(session))
    assert len(standing(session)) > given


def test_a_policy_that_people_like_better_is_crowned(
    crowned: Callable[..., Session], make_annotator: Make
) -> None:
    session, annotator = crowned(), make_annotator()
    first = session.gates.champion
    assert first is not None
    for _ in range(25):
        iterate(session)
        if session.gates.champion != first:
            break
        answer_contests(session, annotator, for_newest=True)
    assert events(session, "rollback") == []
    assert session.gates.champion is not None
    assert session.gates.champion.version > first.version


def test_with_the_way_back_closed_a_lost_contest_is_only_said(
    crowned: Callable[..., Session], make_annotator: Make
) -> None:
    session = crowned(**{"gates.roll_back": False})
    lose(session, make_annotator())
    assert events(session, "rollback")[0].startswith("Worse than policy version")
    assert not session.reward_is_new


def test_a_policy_goes_back_when_corrected_rewards_like_the_champion_better(
    crowned: Callable[..., Session],
) -> None:
    # With one member nothing is in doubt, and turning the reward over turns the lead over.
    session = crowned(**{"reward.num_members": 1, "gates.contest_share": 0.0})
    succeed(session)
    judge(session, may_crown=False)
    with reading(session.engine) as connection:
        lead = runs.get_curves(connection, session.run_id, ["policy/lead_over_champion"])[-1][2]
    assert session.reward is not None
    scale = session.reward.output_normaliser
    turned = dataclasses.replace(scale, sd=-scale.sd) if lead > 0 else scale
    session.reward = dataclasses.replace(session.reward, output_normaliser=turned)
    require(session, worse_by=0.0, worse_doubt=1e6)  # the episodes differ, so that it may all be chance
    judge(session, may_crown=False)
    assert events(session, "rollback") == []
    require(session, worse_by=0.0, worse_doubt=0.0)
    judge(session, may_crown=False)
    (message,) = events(session, "rollback")
    assert "by the present reward" in message


def require(session: Session, **gates: Any) -> None:
    config = session.config
    session.config = dataclasses.replace(config, gates=dataclasses.replace(config.gates, **gates))


def turn_against_the_policy(session: Session) -> None:
    """Let the reward like the champion better, if need be by turning it over."""
    assert session.reward is not None
    groups = challenger_episodes(session)[-8:], session.memory.champion
    own, best = (_reward_per_step(session, episodes)[:, 0].mean() for episodes in groups)
    if own > best:
        scale = session.reward.output_normaliser
        turned = dataclasses.replace(scale, sd=-scale.sd)
        session.reward = dataclasses.replace(session.reward, output_normaliser=turned)


def test_successors_get_twice_the_time_after_each_way_back(crowned: Callable[..., Session]) -> None:
    session = crowned(**{"reward.num_members": 1, "gates.contest_share": 0.0, "gates.min_updates": 3})
    keep = dataclasses.replace(session.config.keep, policies=1)
    session.config = dataclasses.replace(session.config, keep=keep)
    require(session, worse_by=0.0, worse_doubt=0.0)
    waited = []
    for number in (1, 2, 3):
        while len(events(session, "rollback")) < number:
            iterate(session)
            if challenger_episodes(session):
                turn_against_the_policy(session)
                since = session.gates.since_version
                judge(session, may_crown=False)
        waited.append(session.policy.version - 1 - since)
    assert waited == [3, 6, 12]


def test_the_way_back_survives_a_stop(store: Store, crowned: Callable[..., Session]) -> None:
    session = crowned()
    save_checkpoint(session)
    resumed = open_session(store.engine, store.blobs, session.run_id)
    for one in (session, resumed):
        roll_back(one)
    assert resumed.gates.champion is not None
    after, expected = resumed.policy.state_dict(), session.policy.state_dict()
    assert after.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert [e.reset_seed for e in resumed.memory.champion] == [e.reset_seed for e in session.memory.champion]


def test_without_a_champion_there_is_no_way_back(store: Store, new_small_run: Make) -> None:
    session = open_session(store.engine, store.blobs, new_small_run("cartpole-balance"))
    with pytest.raises(RlhfError, match="no policy to go back to"):
        roll_back(session)


def test_contests_show_champion_and_successor(crowned: Callable[..., Session], make_annotator: Make) -> None:
    session, annotator = crowned(), make_annotator()
    succeed(session)
    answer_contests(session, annotator, for_newest=True)
    iterate(session)
    assert session.gates.contests
    with reading(session.engine) as connection:
        rows = [q for q in queries.list_open(connection, session.run_id) if q["id"] in session.gates.contests]
        sides = [
            [get_segment_row(connection, row[side])["policy_version"] for side in ("left_id", "right_id")]
            for row in rows
        ]
    champions = {e.policy_version for e in session.memory.champion}
    for row, (left, right) in zip(rows, sides, strict=True):
        newest, best = (left, right) if session.gates.contests[row["id"]] else (right, left)
        assert best in champions
        assert newest > max(champions)
