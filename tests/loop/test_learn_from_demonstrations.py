"""Demonstrations reach the reward as comparisons, within their share, and no accuracy counts them."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.choose_queries import choose_queries
from rlhf.loop.collect_experience import explore
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.learn_from_demonstrations import DEMONSTRATIONS, load_episodes, with_demonstrations
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.session import Session, open_session
from rlhf.storage import demonstrations, models
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import PreferenceData
from rlhf.ui.store import Store


@pytest.fixture
def make_session(store: Store, new_small_run: Callable[..., str]) -> Iterator[Callable[..., Session]]:
    """``make_session(shown, **settings)``: an explored run that an expert showed episodes to."""
    with contextlib.ExitStack() as opened:

        def make(shown: int, **settings: object) -> Session:
            run_id = new_small_run("cartpole-balance", **settings)
            if shown:
                demonstrate_by_expert(store.engine, store.blobs, run_id, shown)
            session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
            opened.callback(session.close)
            explore(session)
            return session

        yield make


def shaped(session: Session, count: int) -> PreferenceData:
    """Answers whose features have the width of this session's own."""
    width = session.inputs.num(session.memory.recent[0].observations.shape[1])
    return PreferenceData(
        features=np.zeros((2 * count, session.task.segment_steps, width), np.float32),
        first=np.arange(count),
        second=np.arange(count, 2 * count),
        prob_first=np.ones(count, np.float32),
        annotator=np.zeros(count, np.int64),
    )


def test_share_of_demonstrations_is_what_is_set(make_session: Callable[..., Session]) -> None:
    session = make_session(2, **{"demonstrations.share": 0.25, "demonstrations.weight": 0.5})
    answered = shaped(session, 30)
    data = with_demonstrations(session, answered)
    assert (len(data), data.num_implied) == (50, 20)
    assert data.weight_of[~data.is_asked].sum() == pytest.approx(0.25 * data.weight_of.sum())
    assert set(data.annotator[~data.is_asked]) == {1}
    shown = np.where(data.prob_first == 1.0, data.first, data.second)[~data.is_asked]
    assert set(shown) == set(range(60, 80))
    np.testing.assert_array_equal(data.features[:60], answered.features)


@pytest.mark.parametrize(("shown", "share"), [(0, 0.25), (2, 0.0)])
def test_nothing_is_added_without_demonstrations_or_a_share(
    make_session: Callable[..., Session], shown: int, share: float
) -> None:
    session = make_session(shown, **{"demonstrations.share": share})
    answered = shaped(session, 30)
    assert with_demonstrations(session, answered) is answered


def test_demonstration_that_was_left_out_is_not_learned_from(
    make_session: Callable[..., Session], store: Store
) -> None:
    session = make_session(1)
    assert len(load_episodes(store.engine, store.blobs, session.run_id)) == 1
    with writing(store.engine) as connection:
        (row,) = demonstrations.list_valid(connection, session.run_id)
        demonstrations.set_voided(connection, row["id"], True)
    assert load_episodes(store.engine, store.blobs, session.run_id) == []
    answered = shaped(session, 30)
    assert with_demonstrations(session, answered) is answered


def test_fit_learns_from_them_but_counts_answers_only(
    make_session: Callable[..., Session], store: Store
) -> None:
    session = make_session(2)
    choose_queries(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 8)
    report = fit_reward(session)
    assert report is not None
    assert session.fitted == 8
    assert report.num_comparisons == 16
    with reading(store.engine) as connection:
        stored = models.latest_reward_report(connection, session.run_id)
        row = models.get_reward_version(connection, session.run_id, 1)
    assert stored["annotator_ids"][-1] == DEMONSTRATIONS
    assert row["num_answers"] == 8


def test_they_are_left_out_once_the_policy_does_as_well(
    make_session: Callable[..., Session], store: Store
) -> None:
    session = make_session(2, **{"demonstrations.until": 0.0})
    choose_queries(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 8)
    assert fit_reward(session) is not None  # there is no reward yet that could say so
    answered = shaped(session, 30)
    assert with_demonstrations(session, answered) is answered
