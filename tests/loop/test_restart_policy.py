"""A policy that is learned afresh in the middle of a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.choose_policy import _predicted, choose_policy
from rlhf.loop.config import resolve
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.restart_policy import restart_policy
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.storage import models, runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

TOTAL, AT = 6_000, (0.5, 0.75)
Begin = Callable[..., Session]


@pytest.fixture
def begin(store: Store, new_small_run: Callable[..., str]) -> Begin:
    """``begin(**settings)`` returns a session with a first reward, some updates before the first restart."""

    def make(**settings: Any) -> Session:
        run_id = new_small_run(**{"schedule.total_steps": TOTAL, "improve.restarts": list(AT)} | settings)
        session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
        while session.steps < AT[0] * TOTAL:
            iterate(session)
        return session

    return make


def events(session: Session) -> list[str]:
    with reading(session.engine) as connection:
        return [
            row["message"] for row in runs.list_events(connection, session.run_id) if row["kind"] == "restart"
        ]


def test_the_policy_starts_afresh_and_the_one_before_is_kept(begin: Begin) -> None:
    session = begin()
    before, reward, version = session.policy.state_dict(), session.reward, session.policy.version
    steps, acting = session.steps, session.policy.policy_arrays()
    assert session.practised == 1.0
    assert not events(session)
    iterate(session)
    assert len(events(session)) == 1
    assert f"version {version}" in events(session)[0]
    with reading(session.engine) as connection:
        saved = {row["version"]: row for row in models.list_policy_versions(connection, session.run_id)}
    assert saved[version]["steps"] == steps
    for name, array in session.blobs.read_arrays(saved[version]["arrays"])[0].items():
        np.testing.assert_array_equal(array, acting[name])
    assert session.policy.version == version + 2  # a new start, and an update of it
    assert session.reward is reward
    assert session.practised < 0.5
    after = session.policy.state_dict()
    assert np.linalg.norm(after["actor.parameters"] - before["actor.parameters"]) > 1.0
    assert after["observations.count"] > before["observations.count"]


def test_each_start_is_another_one_and_each_comes_once(begin: Begin) -> None:
    session = begin()
    while iterate(session) is not Turn.FINISHED:
        pass
    assert len(events(session)) == len(AT)
    assert session.practice_began == AT[1] * TOTAL


def test_a_run_that_was_interrupted_starts_afresh_just_the_same(begin: Begin, store: Store) -> None:
    session = begin()
    save_checkpoint(session)
    iterate(session)
    again = open_session(store.engine, store.blobs, session.run_id, is_simulated=True)
    iterate(again)
    first, second = session.policy.state_dict(), again.policy.state_dict()
    np.testing.assert_array_equal(first["actor.parameters"], second["actor.parameters"])
    assert session.practice_began == again.practice_began == AT[0] * TOTAL


def test_without_restarts_a_policy_practises_for_the_whole_run(begin: Begin) -> None:
    session = begin(**{"improve.restarts": []})
    iterate(session)
    assert session.practised == session.progress
    assert not events(session)


def test_a_policy_that_imitates_what_was_shown_is_not_thrown_away(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    task = "cartpole-balance"
    run_id = new_small_run(task=task, **{"improve.restarts": list(AT), "demonstrations.clone": True})
    demonstrate_by_expert(store.engine, store.blobs, run_id, 2)
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    assert session.was_given_policy
    assert session.practice_ends == session.config.schedule.total_steps
    save_checkpoint(session)
    again = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    assert again.practice_ends == session.practice_ends


def test_a_rest_that_is_no_observation_of_the_task_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reward.rest has 2 numbers; .* has 3: "):
        resolve(get_task("pendulum-swingup"), {"reward.rest": [0.0, 1.0], "reward.use_endings": False})


@pytest.mark.parametrize("restarts", [[0.5, 0.2], [0.5, 0.5], [0.0], [1.0]])
def test_shares_that_make_no_sense_are_refused(restarts: list[float]) -> None:
    with pytest.raises(ConfigError, match="rising shares"):
        resolve(get_task("pendulum-swingup"), {"improve.restarts": restarts})


def test_going_on_from_the_best_without_a_restart_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"give improve.restarts or"):
        resolve(get_task("pendulum-swingup"), {"improve.resume_best": True})


def test_the_last_start_can_be_the_best_policy_so_far(begin: Begin) -> None:
    session = begin(**{"improve.resume_best": True})
    while session.steps < AT[1] * TOTAL:
        iterate(session)
    assert len(events(session)) == 1  # the first restart is one as always
    assert "afresh" in events(session)[0]
    if session.saved_policy_steps != session.steps:
        save_policy(session)
    before = session.policy.version
    version, best = choose_policy(session)
    restart_policy(session)
    assert f"goes on from version {version}," in events(session)[0]  # the newest
    assert session.policy.version == before + 1
    after = session.policy.policy_arrays()
    for name, array in best.to_arrays().items():
        if name != "version":
            np.testing.assert_allclose(after[name], array, rtol=1e-5)
    # the critic, which is new, has as much to be fitted to as one that came from another run
    assert len(session.memory.rollouts) == session.config.collect.recent_rollouts - 1
    assert session.reward_is_new
    while iterate(session) is not Turn.FINISHED:
        pass
    assert len(events(session)) == len(AT)


def test_the_best_policy_may_come_from_any_start(begin: Begin) -> None:
    session = begin()
    while iterate(session) is not Turn.FINISHED:
        pass
    with reading(session.engine) as connection:
        saved = models.list_policy_versions(connection, session.run_id)
    scores = {}
    for row in saved:
        arrays = session.blobs.read_arrays(row["arrays"])[0]
        policy = PolicySnapshot.from_arrays(arrays, session.action_space)
        scores[row["version"]] = _predicted(session, policy)
    versions = list(scores)
    assert choose_policy(session)[0] == max(versions, key=lambda one: scores[one])
    session.was_given_policy = True  # such a policy has one practice, and what came first was worse
    later = versions[len(versions) // 2 :]
    chosen, _ = choose_policy(session)
    assert chosen in later
    assert scores[chosen] >= np.median([scores[one] for one in later])
