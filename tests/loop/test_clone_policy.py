"""A run starts from what was shown, goes on from there, and says so."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import JobError
from rlhf.experience.rollout import run_episodes
from rlhf.loop.clone_policy import clone_policy, hold_to_imitated, try_clone
from rlhf.loop.collect_experience import explore
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.session import Session, save_checkpoint
from rlhf.loop.start_run import let_imitate
from rlhf.storage import models, runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

CLONE = {"demonstrations.clone": True, "ppo.hidden": "32,32", "cloning.learning_rates": "0.003"}
LEARNS_NOTHING = {"cloning.learning_rates": "1e-6", "cloning.max_epochs": 1}


def test_run_starts_with_a_policy_that_does_what_was_shown(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]
) -> None:
    run_id = new_small_run("cartpole-balance", **CLONE)
    demonstrate_by_expert(store.engine, store.blobs, run_id, 5)
    session = opened(run_id)
    assert iterate(session) is Turn.WAITING  # for the first answers
    _, returns = run_episodes(session.task, session.policy, 10, seed=1, deterministic=False)
    assert returns.mean() >= 400.0
    assert len(session.memory.rollouts) == session.config.collect.recent_rollouts - 1
    with reading(store.engine) as connection:
        assert "imitating 5 episodes" in " ".join(e["message"] for e in runs.list_events(connection, run_id))
        assert [row["version"] for row in models.list_policy_versions(connection, run_id)] == [0]


def test_clone_survives_a_checkpoint(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]
) -> None:
    run_id = new_small_run("cartpole-balance", **CLONE)
    demonstrate_by_expert(store.engine, store.blobs, run_id, 2)
    session = opened(run_id)
    explore(session)
    clone_policy(session)
    save_checkpoint(session)
    again = opened(run_id)
    for name, value in session.policy.policy_arrays().items():
        np.testing.assert_array_equal(again.policy.policy_arrays()[name], value)


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, True),
        (LEARNS_NOTHING, False),
        (LEARNS_NOTHING | {"demonstrations.hold_lasting": 0.0}, True),
        ({"demonstrations.hold": 0.0}, False),
    ],
    ids=["lasts as shown", "falls", "falls, but all are held", "none is held"],
)
def test_policy_is_held_to_what_it_imitated_if_that_lasts(
    store: Store,
    new_small_run: Callable[..., str],
    opened: Callable[[str], Session],
    changes: dict[str, object],
    is_held: bool,
) -> None:
    run_id = new_small_run("cartpole-balance", **CLONE | changes)
    demonstrate_by_expert(store.engine, store.blobs, run_id, 2)
    session = opened(run_id)
    explore(session)
    clone_policy(session)
    assert hold_to_imitated(session) is is_held
    with reading(store.engine) as connection:
        told = " ".join(event["message"] for event in runs.list_events(connection, run_id))
    assert ("those shown after 500" in told) is (not is_held and session.config.demonstrations.hold > 0)


def test_run_without_demonstrations_starts_from_scratch_and_says_so(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]
) -> None:
    session = opened(new_small_run("cartpole-balance", **CLONE))
    before = session.policy.policy_arrays()
    explore(session)
    assert clone_policy(session) is None
    for name, value in session.policy.policy_arrays().items():
        np.testing.assert_array_equal(before[name], value)
    with reading(store.engine) as connection:
        assert "nothing to imitate" in runs.list_events(connection, session.run_id)[0]["message"]


@pytest.mark.parametrize("is_on", [True, False])
def test_run_that_has_not_begun_can_be_set_to_start_from_a_clone(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session], is_on: bool
) -> None:
    run_id = new_small_run("cartpole-balance", **{"demonstrations.clone": not is_on})
    with pytest.raises(JobError, match="nothing was shown"):
        try_clone(store.engine, store.blobs, run_id)
    demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    _, report = try_clone(store.engine, store.blobs, run_id)
    assert report.num_episodes == 1
    let_imitate(store.engine, run_id, is_on)
    assert opened(run_id).config.demonstrations.clone == is_on


def test_run_that_has_begun_keeps_its_policy(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]
) -> None:
    run_id = new_small_run("cartpole-balance")
    demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    opened(run_id)
    with pytest.raises(JobError, match="has begun"):
        let_imitate(store.engine, run_id, True)


@pytest.mark.parametrize(
    ("settings", "held"),
    [
        ({}, (1.0, 1.0)),
        ({"demonstrations.hold": 0.0}, None),
        ({"ppo.reference_kl": 0.1}, (0.1, 0.3)),
    ],
)
def test_run_is_held_to_its_clone_as_it_is_set_to(
    store: Store,
    new_small_run: Callable[..., str],
    opened: Callable[[str], Session],
    settings: dict[str, float],
    held: tuple[float, float] | None,
) -> None:
    """Such a run's ``ppo`` settings go first; the clone's own weight falls until the end of the run."""
    run_id = new_small_run("cartpole-balance", **CLONE, **settings)
    demonstrate_by_expert(store.engine, store.blobs, run_id, 2)
    session = opened(run_id)
    iterate(session)
    state = session.policy.state_dict()
    assert ("start.weight_0" in state) == (held is not None)
    if held:
        following = session.config.following
        assert (following.reference_kl, following.reference_share) == held
        np.testing.assert_array_equal(state["start.weight_0"], session.policy.policy_arrays()["weight_0"])
        assert state["start.since"] == session.progress


def test_run_from_scratch_is_held_to_nothing(
    store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]
) -> None:
    session = opened(new_small_run("cartpole-balance", **{"ppo.reference_kl": 0.1}))
    iterate(session)
    assert "start.weight_0" not in session.policy.state_dict()
