from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import NotFoundError
from rlhf.experience.tasks import get_task
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.evaluate_policy import evaluate_policy, predicted_return
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.storage import models, segments
from rlhf.storage.engine import reading
from rlhf.types.experience import Episode
from rlhf.ui.store import Store


@pytest.fixture
def learned(store: Store, new_small_run: Callable[..., str]) -> Callable[[str], Session]:
    """``learned(task)`` returns the session of a run whose policies 0 and 1 are saved."""

    def make(task: str) -> Session:
        session = open_session(store.engine, store.blobs, new_small_run(task), is_simulated=True)
        iterate(session)
        ask_teacher(store.engine, store.blobs, session.run_id, 100)
        iterate(session)
        save_policy(session)
        return session

    return make


def stored(store: Store, session: Session, version: int) -> Any:
    with reading(store.engine) as connection:
        return models.get_policy_version(connection, session.run_id, version)


def test_an_evaluation_is_stored_with_the_policy(store: Store, learned: Callable[[str], Session]) -> None:
    session = learned("pendulum-swingup")
    evaluation = evaluate_policy(store.engine, store.blobs, session.run_id, session.policy.version, 3)
    assert stored(store, session, session.policy.version)["evaluation"] == evaluation
    assert evaluation["episode_steps"] == [200, 200, 200]
    assert all(-2000 < value <= 0 for value in evaluation["true_returns"])
    assert len(evaluation["predicted_returns"]) == len(evaluation["true_returns"]) == 3
    assert np.isfinite(evaluation["predicted_returns"]).all()


def test_the_replay_is_one_whole_episode(store: Store, learned: Callable[[str], Session]) -> None:
    session = learned("cartpole-balance")
    version = session.policy.version
    evaluation = evaluate_policy(store.engine, store.blobs, session.run_id, version, 2)
    with reading(store.engine) as connection:
        replay_id = stored(store, session, version)["replay_id"]
        replay = segments.load_segment(connection, store.blobs, replay_id)
    assert replay.num_steps == replay.num_real_steps == evaluation["episode_steps"][0]
    assert replay.policy_version == version


def test_a_policy_from_before_any_reward_has_no_predicted_returns(
    store: Store, learned: Callable[[str], Session]
) -> None:
    session = learned("pendulum-swingup")
    evaluation = evaluate_policy(store.engine, store.blobs, session.run_id, 0, 2)
    assert evaluation["predicted_returns"] == []
    assert len(evaluation["true_returns"]) == 2


def test_evaluating_again_gives_the_same(store: Store, learned: Callable[[str], Session]) -> None:
    session = learned("pendulum-swingup")
    first, second = (evaluate_policy(store.engine, store.blobs, session.run_id, 0, 2) for _ in range(2))
    assert first == second


def test_a_predicted_return_counts_the_absorbing_steps(learned: Callable[[str], Session]) -> None:
    session = learned("cartpole-balance")
    assert session.reward is not None
    task = get_task("cartpole-balance")
    fallen = next(e for e in [*session.memory.recent, *session.memory.older] if e.terminated)
    standing = Episode(
        observations=fallen.observations,
        actions=fallen.actions,
        terminated=False,
        reset_seed=fallen.reset_seed,
        policy_version=0,
        sim_states=fallen.sim_states,
    )
    whole, part = (
        predicted_return(session.reward, e, task, session.action_space) for e in (fallen, standing)
    )
    # Every one of the remaining steps is worth the same, within the bounds of a normalised reward.
    per_step = (whole - part) / (task.horizon - fallen.num_steps)
    assert abs(per_step) <= session.config.reward.clip
    assert whole != part


def test_a_version_that_was_not_saved_cannot_be_evaluated(
    store: Store, learned: Callable[[str], Session]
) -> None:
    session = learned("pendulum-swingup")
    with pytest.raises(NotFoundError, match="version 99"):
        evaluate_policy(store.engine, store.blobs, session.run_id, 99, 1)


def test_the_reward_is_held_against_the_true_one(store: Store, learned: Callable[[str], Session]) -> None:
    session = learned("pendulum-swingup")
    evaluation = evaluate_policy(store.engine, store.blobs, session.run_id, session.policy.version, 1)
    if (grade := evaluation["reward_grade"]) is None:
        pytest.fail("sixteen clips and more were asked about")
    assert grade["reward_version"] == session.reward_version
    assert -1.0 <= grade["rank_correlation"] <= 1.0
    assert 0.0 <= grade["distance"] <= 1.0


def test_a_policy_from_before_any_reward_has_no_grade(
    store: Store, learned: Callable[[str], Session]
) -> None:
    session = learned("cartpole-balance")
    assert "reward_grade" not in evaluate_policy(store.engine, store.blobs, session.run_id, 0, 1)
