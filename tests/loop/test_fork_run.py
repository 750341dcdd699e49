"""A run starts from what another has learned, in any combination, and owes it nothing afterwards."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from rlhf.config import Settings
from rlhf.errors import ConfigError, NotFoundError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.find_source import find_source
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.fork_run import fork_run
from rlhf.loop.improve_policy import save_policy
from rlhf.loop.iterate import iterate
from rlhf.loop.look_at_source import PARTS, best_policy, look_at_source
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.loop.start_run import new_run
from rlhf.loop.take_over import take_over
from rlhf.loop.void_answers import void_answers
from rlhf.storage import answers, models, origins, runs, schema
from rlhf.storage.answer_search import AnswerFilter
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import migrate
from rlhf.types.feedback import Choice, QueryKind
from rlhf.ui.store import Store

TASK = "cartpole-balance"
SMALL = {
    "collect.num_envs": 4,
    "collect.explore_steps": 800,
    "collect.recent_episodes": 6,
    "collect.recent_rollouts": 3,
    "ppo.num_steps": 32,
    "ppo.num_epochs": 2,
    "ppo.hidden": "8",
    "ppo.critic_refit_epochs": 2,
    "reward.num_members": 2,
    "reward.hidden": "8",
    "reward.max_epochs": 5,
    "schedule.total_steps": 100_000,
    "schedule.labels": 8,
    "schedule.initial_labels": 8,
}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    """A store with a run that has a reward, answers and a policy that was updated twice and saved."""
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(tmp_path_factory.mktemp("learned"))})
    engine, blobs = open_engine(settings.database_url), Blobs(settings.blob_url)
    migrate(engine)
    run_id = new_run(engine, TASK, teacher="oracle", overrides=SMALL)
    session = open_session(engine, blobs, run_id, is_simulated=True)
    for _ in range(3):
        iterate(session)
        ask_teacher(engine, blobs, run_id, 100)
    save_policy(session)
    save_checkpoint(session)
    session.close()
    yield Store(settings=settings, engine=engine, blobs=blobs), run_id
    engine.dispose()


@pytest.fixture
def source(store: Store, learned: tuple[Store, str]) -> str:
    """That run, in the test's own store."""
    made, run_id = learned
    paths = (one.settings.data_dir / "rlhf.db" for one in (made, store))
    with contextlib.ExitStack() as stack:
        origin, copy = (stack.enter_context(contextlib.closing(sqlite3.connect(path))) for path in paths)
        origin.backup(copy)
    shutil.copytree(made.settings.blob_url, store.settings.blob_url, dirs_exist_ok=True)
    return run_id


def fork(store: Store, source: str, **options: Any) -> str:
    return fork_run(store.engine, store.blobs, source, **options)


def counts(store: Store, run_id: str) -> dict[Choice, int]:
    with reading(store.engine) as connection:
        return answers.count_standing(connection, run_id)


def test_everything_is_taken_and_the_run_goes_on_from_there(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    run_id = fork(store, source)
    before, session = opened(source), opened(run_id)
    iterate(session)
    with reading(store.engine) as connection:
        first = models.get_policy_version(connection, run_id, 0)
        latest = models.list_policy_versions(connection, source)[-1]
        origin = origins.find_origin(connection, run_id)
    assert origin is not None
    assert list(origins.taken(origin)) == list(PARTS)
    arrays = store.blobs.read_arrays(first["arrays"])[0]
    for name, array in store.blobs.read_arrays(latest["arrays"])[0].items():
        if name != "version":  # the run counts its own updates
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert session.reward_version == before.reward_version
    assert session.policy.version == 1  # it learned at once: reward and critic were there
    assert counts(store, run_id) == counts(store, source)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_taken_alone(
    store: Store, source: str, opened: Callable[[str], Session], part: str
) -> None:
    run_id = fork(store, source, take=[part])
    session = opened(run_id)
    iterate(session)
    with reading(store.engine) as connection:
        origin = origins.find_origin(connection, run_id)
        told = [event["message"] for event in runs.list_events(connection, run_id)]
    assert origin is not None
    assert list(origins.taken(origin)) == [part]
    assert f"Started from run {source} with its {part}." in told
    assert (session.reward is not None) == (part in ("reward", "answers"))
    assert (sum(counts(store, run_id).values()) > 0) == (part == "answers")


def test_a_reward_taken_without_its_answers_is_what_the_next_one_starts_from(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    session = opened(fork(store, source, take=["reward"], teacher="oracle"))
    iterate(session)
    taken = session.reward
    assert taken is not None
    found = find_source(session)
    assert found is not None
    for name, array in taken.to_arrays().items():
        np.testing.assert_array_equal(found.model.to_arrays()[name], array)
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    assert fit_reward(session) is not None
    assert session.reward is not taken
    assert session.reward.selection.uses_source  # eight answers are too few to say otherwise


def test_a_reward_taken_with_its_answers_is_learned_from_them_anew(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    assert find_source(opened(fork(store, source, take=["reward", "answers"]))) is None


def test_a_policy_alone_shows_its_own_behaviour_and_waits_with_rollouts_for_the_critic(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    session = opened(fork(store, source, take=["policy"]))
    iterate(session)
    collect = session.config.collect
    assert len(session.memory.rollouts) == collect.recent_rollouts - 1
    assert {episode.policy_version for episode in session.memory.recent} == {0}
    rollouts = (collect.recent_rollouts - 1) * session.config.ppo.num_steps
    assert session.steps == collect.num_envs * (session.task.horizon + rollouts)


def test_critic_values_what_it_did(store: Store, source: str, opened: Callable[[str], Session]) -> None:
    before, session = opened(source), opened(fork(store, source, take=["policy", "critic", "reward"]))
    assert take_over(session)
    seen = before.memory.recent[-1].observations
    np.testing.assert_allclose(session.policy.values(seen), before.policy.values(seen), rtol=1e-4, atol=1e-4)
    assert not session.reward_is_new


def test_a_fork_goes_on_from_its_checkpoint_bit_for_bit(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    run_id = fork(store, source, update="low-rank")
    session = opened(run_id)
    iterate(session)
    save_checkpoint(session)
    again = opened(run_id)
    for one in (session, again):
        iterate(one)
    for name, array in session.policy.policy_arrays().items():
        np.testing.assert_array_equal(array, again.policy.policy_arrays()[name])


def test_frozen_layers_of_a_fork_are_the_sources_bit_for_bit(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    session = opened(fork(store, source, update="head"))
    for _ in range(3):
        iterate(session)
    assert session.policy.version >= 2
    now, then = session.policy.policy_arrays(), opened(source).policy.policy_arrays()
    np.testing.assert_array_equal(now["weight_0"], then["weight_0"])
    assert not np.array_equal(now["weight_1"], then["weight_1"])


def test_answers_are_the_new_runs_own_and_bring_no_true_reward(store: Store, source: str) -> None:
    run_id = fork(store, source, take=["answers"])
    before = counts(store, source)
    with reading(store.engine) as connection:
        row = answers.standing_answers(connection, run_id)[0]
        truths = sa.select(sa.func.count()).select_from(schema.segment_truths).join(schema.segments)
        assert connection.scalar(truths.where(schema.segments.c.run_id == run_id)) == 0
    undo = Answer(key="undo-of-a-copy", query_id=row["query_id"], choice=Choice.UNDO, takes_back=row["key"])
    record_answer(store.engine, run_id, row["annotator_id"], undo)
    assert sum(counts(store, run_id).values()) == sum(before.values()) - 1
    void_answers(store.engine, AnswerFilter(run_id=run_id), by="boss", reason="test")
    assert sum(counts(store, run_id).values()) == 0
    assert counts(store, source) == before


def test_blind_pairs_of_the_sources_policies_stay_where_they_are(
    store: Store, source: str, make_query: Callable[..., str], make_annotator: Callable[..., str]
) -> None:
    blind = make_query(source, kind=QueryKind.WIN_RATE)
    record_answer(
        store.engine, source, make_annotator(), Answer(key="blind-01", query_id=blind, choice=Choice.LEFT)
    )
    run_id = fork(store, source, take=["answers"])
    assert sum(counts(store, run_id).values()) == sum(counts(store, source).values()) - 1


def test_a_fork_of_a_gone_source_still_begins(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    run_id = fork(store, source)
    with writing(store.engine) as connection:
        for table in (schema.policy_versions, schema.reward_versions):
            connection.execute(table.delete().where(table.c.run_id == source))
        for row in models.list_checkpoints(connection, source):
            store.blobs.delete(row["arrays"])
        connection.execute(schema.checkpoints.delete().where(schema.checkpoints.c.run_id == source))
    session = opened(run_id)
    iterate(session)
    assert session.policy.version == 1


def test_another_task_takes_the_trunk_and_a_new_adapter_and_head(
    store: Store, source: str, opened: Callable[[str], Session]
) -> None:
    seen = look_at_source(store.engine, store.blobs, source, task="pendulum-swingup")
    assert seen.parts == ["policy"]
    assert seen.new_layers == {0, 1}
    run_id = fork(store, source, task="pendulum-swingup", update="adapters+head")
    session = opened(run_id)
    iterate(session)
    assert session.task.name == "pendulum-swingup"
    assert session.config.ppo.hidden == (8,)


@pytest.mark.parametrize("update", ["head", "low-rank"])
def test_a_new_first_layer_must_learn(store: Store, source: str, update: Any) -> None:
    with pytest.raises(ConfigError, match="adapters\\+head"):
        fork(store, source, task="pendulum-swingup", update=update)
    with reading(store.engine) as connection:
        assert len(runs.list_runs(connection)) == 1


def test_what_does_not_fit_is_refused_with_the_reason(store: Store, source: str) -> None:
    with pytest.raises(ConfigError, match="observes"):
        fork(store, source, task="pendulum-swingup", take=["policy", "reward"])
    with pytest.raises(ConfigError, match="nothing is taken"):
        fork(store, source, take=[])
    with pytest.raises(ConfigError, match="weights cannot be taken"):
        fork(store, source, take=["weights"])
    with pytest.raises(NotFoundError, match="version 77"):
        fork(store, source, policy_version=77)


def test_a_run_that_has_not_begun_has_nothing_to_give(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run(TASK)
    assert set(look_at_source(store.engine, store.blobs, run_id).missing) == set(PARTS)
    with pytest.raises(ConfigError, match="nothing is taken"):
        fork(store, run_id)


def test_settings_of_the_same_task_are_kept_and_a_teacher_gives_as_many_new_answers(
    store: Store, source: str
) -> None:
    run_id = fork(store, source, overrides={"ppo.num_epochs": 3})
    with reading(store.engine) as connection:
        kept = runs.get_run(connection, run_id)["overrides"]
    assert (kept["ppo.num_epochs"], kept["ppo.num_steps"], kept["ppo.hidden"]) == (3, 32, [8])
    assert kept["schedule.labels"] == 8 + sum(counts(store, source).values())


def test_the_best_policy_is_the_one_that_the_newest_judged_reward_likes(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        assert best_policy(connection, run_id) is None
        for version, reward, predicted in ((1, 1, 99.0), (2, 2, 7.0), (3, 2, 5.0), (4, 3, None)):
            models.insert_policy_version(
                connection, run_id, version, arrays="a", steps=version, reward_version=reward, num_answers=0
            )
            if predicted is not None:
                evaluation = {"true_returns": [-predicted], "predicted_returns": [predicted]}
                connection.execute(
                    schema.policy_versions.update()
                    .where(schema.policy_versions.c.version == version)
                    .values(evaluation=evaluation)
                )
        best = best_policy(connection, run_id)
    assert best is not None
    assert best["version"] == 2
