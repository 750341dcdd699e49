"""A run's reward starts from that of another run."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import ConfigError, NotFoundError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.find_source import find_source
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import models, runs
from rlhf.storage.engine import reading, writing
from rlhf.ui.store import Store

Make = Callable[..., str]


def learned(store: Store, run_id: str) -> Session:
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 8)
    assert fit_reward(session) is not None
    return session


def store_version(store: Store, run_id: str, reward: RewardModel) -> str:
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection,
            run_id,
            9,
            arrays=store.blobs.write_arrays(dict(reward.to_arrays())),
            num_answers=8,
            steps=0,
            report={},
        )
    return f"{run_id}:9"


@pytest.fixture
def source(store: Store, new_small_run: Make) -> str:
    session = learned(store, new_small_run(seed=1))
    session.close()
    return f"{session.run_id}:1"


def test_a_reward_starts_from_that_of_another_run(store: Store, new_small_run: Make, source: str) -> None:
    session = learned(store, new_small_run(**{"transfer.reward_from": source}))
    session.close()
    assert session.reward is not None
    assert session.reward.selection.uses_source  # eight answers are too few to say otherwise
    with reading(store.engine) as connection:
        said = [event["message"] for event in runs.list_events(connection, session.run_id)]
    assert any(f"it starts from {source}" in message for message in said)
    found = find_source(session)
    assert found is not None
    features = next(iter(session.features.values()))
    ours, theirs = session.reward.member_rewards(features).mean(axis=0), found(features)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.7


def test_without_the_setting_nothing_is_taken(store: Store, new_small_run: Make, source: str) -> None:
    session = learned(store, new_small_run())
    session.close()
    assert session.reward is not None
    assert not session.reward.selection.uses_source


@pytest.mark.parametrize("name", ["nobody:1", "{run}:7"])
def test_a_source_that_is_not_there_is_refused_before_the_run_exists(
    new_small_run: Make, source: str, name: str
) -> None:
    with pytest.raises(NotFoundError):
        new_small_run(**{"transfer.reward_from": name.format(run=source.split(":", maxsplit=1)[0])})


@pytest.mark.parametrize("name", ["run", "run:", "run:0", ":3", "run:-1", "run:two"])
def test_a_source_must_be_named_as_a_run_and_a_version(new_small_run: Make, name: str) -> None:
    with pytest.raises(ConfigError, match="RUN:VERSION"):
        new_small_run(**{"transfer.reward_from": name})


def test_a_task_in_which_the_source_sees_nothing_is_refused(new_small_run: Make, source: str) -> None:
    with pytest.raises(ConfigError, match="observed here"):
        new_small_run("cartpole-balance", **{"transfer.reward_from": source})


def test_an_action_of_another_run_is_not_mistaken_for_something_seen(
    store: Store, new_small_run: Make, source: str
) -> None:
    """A source that looks at actions, in a run that does not: the action is never seen."""
    source_run = source.split(":", maxsplit=1)[0]
    session = open_session(store.engine, store.blobs, new_small_run(**{"transfer.reward_from": source}))
    session.close()
    plain = find_source(session)
    assert plain is not None
    network = plain.model.network
    with_action = dataclasses.replace(
        plain.model,
        config=dataclasses.replace(plain.model.config, use_actions=True),
        network=dataclasses.replace(
            network,
            columns=np.empty(0, np.int64),
            weights=(),
            biases=(),
            skip=np.ones((network.num_members, plain.model.num_features + 1, 1), np.float32),
        ),
        input_normaliser=dataclasses.replace(
            plain.model.input_normaliser,
            mean=np.zeros(plain.model.num_features + 1, np.float32),
            sd=np.ones(plain.model.num_features + 1, np.float32),
        ),
    )
    name = store_version(store, source_run, with_action)
    session = open_session(store.engine, store.blobs, new_small_run(**{"transfer.reward_from": name}))
    session.close()
    found = find_source(session)
    assert found is not None
    np.testing.assert_array_equal(found.columns, [0, 1, 2, 3, 4, 5, -1, 6])
