"""Versions of reward model and policy, and checkpoints."""

from collections.abc import Callable

import pytest

from rlhf.errors import NotFoundError
from rlhf.storage import models
from rlhf.storage.engine import reading, writing
from rlhf.ui.store import Store

Make = Callable[..., str]


def _add_policy(store: Store, run_id: str, version: int, arrays: str = "a") -> None:
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, version, arrays=arrays, steps=10 * version, reward_version=1, num_answers=3
        )


def _add_reward(store: Store, run_id: str, version: int, accuracy: float) -> None:
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection,
            run_id,
            version,
            arrays="a",
            num_answers=3,
            steps=10,
            report={"accuracy": accuracy, "undefined": None},
        )


def test_versions_are_listed_oldest_first(store: Store, make_run: Make) -> None:
    run_id = make_run()
    for version in (3, 1, 2):
        _add_policy(store, run_id, version)
        _add_reward(store, run_id, version, 0.5)
    with reading(store.engine) as connection:
        policies = [row["version"] for row in models.list_policy_versions(connection, run_id)]
        rewards = [row["version"] for row in models.list_reward_versions(connection, run_id)]
    assert policies == rewards == [1, 2, 3]


def test_version_made_again_after_a_crash_replaces_the_first_attempt(store: Store, make_run: Make) -> None:
    run_id, other = make_run(), make_run()
    for run, arrays in ((run_id, "first"), (other, "other"), (run_id, "second")):
        _add_policy(store, run, 1, arrays)
    with reading(store.engine) as connection:
        assert models.count_policy_versions(connection, run_id) == 1
        assert models.get_policy_version(connection, run_id, 1)["arrays"] == "second"
        assert models.get_policy_version(connection, other, 1)["arrays"] == "other"


def test_latest_report_is_that_of_the_newest_version(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with reading(store.engine) as connection:
        assert models.latest_reward_report(connection, run_id) == {}
    for version, accuracy in ((2, 0.75), (1, 0.5)):
        _add_reward(store, run_id, version, accuracy)
    with reading(store.engine) as connection:
        assert models.latest_reward_report(connection, run_id) == {"accuracy": 0.75, "undefined": None}


def test_unknown_versions_are_not_found(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with reading(store.engine) as connection:
        with pytest.raises(NotFoundError, match="policy of version 7"):
            models.get_policy_version(connection, run_id, 7)
        with pytest.raises(NotFoundError, match="reward model of version 7"):
            models.get_reward_version(connection, run_id, 7)


def test_evaluation_brings_the_clip_of_its_replay(store: Store, make_run: Make, make_segment: Make) -> None:
    run_id = make_run()
    for version in (1, 2):
        _add_policy(store, run_id, version)
    replay_id = make_segment(run_id)
    with writing(store.engine) as connection:
        models.set_evaluation(connection, run_id, 2, replay_id=replay_id, evaluation={"true_returns": [1.0]})
        first, second = models.list_policies_with_clips(connection, run_id)
    assert (first["clip"], first["evaluation"]) == (None, None)
    assert (second["clip_frames"], second["evaluation"]) == (4, {"true_returns": [1.0]})


def test_only_the_newest_checkpoints_are_kept(store: Store, make_run: Make) -> None:
    run_id, other = make_run(), make_run()
    with writing(store.engine) as connection:
        models.insert_checkpoint(connection, other, arrays="other", steps=0, keep=2)
        gone = [
            models.insert_checkpoint(connection, run_id, arrays=name, steps=n, keep=2)
            for n, name in enumerate(("a", "b", "c", "d"))
        ]
        kept = [row["arrays"] for row in models.list_checkpoints(connection, run_id)]
        others = [row["arrays"] for row in models.list_checkpoints(connection, other)]
    assert gone == [[], [], ["a"], ["b"]]
    assert kept == ["d", "c"]
    assert others == ["other"]


def test_blob_that_a_kept_checkpoint_needs_is_not_given_up(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        gone = [
            models.insert_checkpoint(connection, run_id, arrays=name, steps=0, keep=1)
            for name in ("same", "same", "new")
        ]
    assert gone == [[], [], ["same"]]
