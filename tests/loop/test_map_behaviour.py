"""The map of a small run that has asked, learned and been evaluated."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.behaviour_map import BehaviourMap, PointSource, Verdict, read_map
from rlhf.loop.choose_queries import choose_queries
from rlhf.loop.evaluate_policy import evaluate_policy
from rlhf.loop.fit_reward import fit_reward, segment_inputs
from rlhf.loop.iterate import iterate
from rlhf.loop.map_behaviour import map_behaviour
from rlhf.loop.session import Session, open_session
from rlhf.storage import answers, maps, models, runs, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

SEGMENTS_PER_EPISODE = 7  # of 50 steps, half over one another, in 200


@pytest.fixture
def session(store: Store, new_small_run: Callable[..., str]) -> Session:
    """Eight answers by a teacher, one reward version, policy 0 evaluated."""
    run_id = new_small_run(**{"schedule.open_queries": 4})
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 8)
    fit_reward(session)
    evaluate_policy(store.engine, store.blobs, session.run_id, 0, 1)
    return session


def shown(store: Store, session: Session) -> BehaviourMap:
    with reading(store.engine) as connection:
        row = maps.get_map(connection, session.run_id)
    assert row is not None
    return read_map(store.blobs, row["arrays"])


def make_map(store: Store, session: Session) -> BehaviourMap:
    while not map_behaviour(store.engine, store.blobs, session.run_id):
        pass
    return shown(store, session)


def test_a_map_holds_segments_of_questions_and_windows_of_recordings(store: Store, session: Session) -> None:
    drawn = make_map(store, session)
    kinds = dict(zip(*np.unique(drawn.source, return_counts=True), strict=True))
    assert kinds == {PointSource.QUERY: 16, PointSource.REPLAY: SEGMENTS_PER_EPISODE}
    windows = drawn.source == PointSource.REPLAY
    assert sorted(drawn.start[windows].tolist()) == list(range(0, 175, 25))
    assert set(drawn.start[~windows].tolist()) == {0}
    assert (drawn.facts.length, drawn.facts.reward_version) == (50, 1)
    assert np.isfinite(drawn.place).all()


def test_rewards_and_returns_are_the_models_own(store: Store, session: Session) -> None:
    drawn = make_map(store, session)
    assert session.reward is not None
    (point,) = np.flatnonzero(drawn.source == PointSource.QUERY)[:1]
    features = segment_inputs(session, drawn.segment_id[point].decode())
    members = session.reward.member_rewards(features).mean(axis=1)
    assert drawn.reward[point] == pytest.approx(members.mean(), abs=1e-4)
    assert drawn.spread[point] == pytest.approx(members.std(), abs=1e-4)
    returns = session.reward.member_returns(features[None])[:, 0]
    np.testing.assert_allclose(drawn.returns[:, point], returns, atol=1e-4)


def test_verdicts_are_what_was_answered(store: Store, session: Session) -> None:
    drawn = make_map(store, session)
    verdicts = dict(zip(drawn.segment_id.tolist(), drawn.verdict.tolist(), strict=True))
    with reading(store.engine) as connection:
        rows = answers.standing_answers(connection, session.run_id)
    expected = {
        Choice.LEFT: (Verdict.BETTER, Verdict.WORSE),
        Choice.RIGHT: (Verdict.WORSE, Verdict.BETTER),
        Choice.EQUAL: (Verdict.EQUAL, Verdict.EQUAL),
    }
    assert len(rows) == 8
    for row in rows:
        found = verdicts[row["left_id"].encode()], verdicts[row["right_id"].encode()]
        assert found == expected[row["choice"]]
    assert set(drawn.verdict[drawn.source == PointSource.REPLAY].tolist()) == {Verdict.UNKNOWN}


def test_work_in_stretches_gives_the_same_and_the_first_map_grows(
    store: Store, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_map(store, session)
    with writing(store.engine) as connection:
        maps.save_map(
            connection, session.run_id, arrays=None, draft=None, num_done=0, num_segments=0, shows={}
        )
    monkeypatch.setattr("rlhf.loop.map_behaviour._BATCH", 6)
    sizes = []
    while not map_behaviour(store.engine, store.blobs, session.run_id, stretch_s=0.0):
        sizes.append(len(shown(store, session)))
    assert sizes == sorted(sizes)
    assert 6 <= sizes[0] < len(whole)
    pieced = shown(store, session)
    np.testing.assert_array_equal(pieced.segment_id, whole.segment_id)
    np.testing.assert_allclose(pieced.place, whole.place)
    np.testing.assert_allclose(pieced.reward, whole.reward, atol=1e-5)


def test_what_is_new_is_added_and_everything_else_keeps_its_place(
    store: Store, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_map(store, session)
    choose_queries_now(session)
    read: list[str] = []
    read_arrays = store.blobs.read_arrays
    monkeypatch.setattr(store.blobs, "read_arrays", lambda name: read.append(name) or read_arrays(name))
    after = make_map(store, session)
    assert len(after) > len(before)
    np.testing.assert_array_equal(after.segment_id[: len(before)], before.segment_id)
    np.testing.assert_array_equal(after.place[: len(before)], before.place)
    with reading(store.engine) as connection:
        old = {
            segments.get_segment_row(connection, one.decode())["arrays"]
            for one in set(before.segment_id.tolist())
        }
    assert not old & set(read)


def test_a_new_reward_version_scores_everything_anew_in_place(store: Store, session: Session) -> None:
    before = make_map(store, session)
    publish_flipped_reward(store, session)
    after = make_map(store, session)
    assert after.facts.reward_version == 2
    np.testing.assert_array_equal(np.sort(after.segment_id), np.sort(before.segment_id))
    order_before, order_after = (np.lexsort((drawn.start, drawn.segment_id)) for drawn in (before, after))
    np.testing.assert_allclose(after.place[order_after], before.place[order_before])
    np.testing.assert_allclose(after.returns[:, order_after], -before.returns[:, order_before], atol=1e-4)


def test_without_a_reward_there_are_places_but_no_returns(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    session = open_session(store.engine, store.blobs, new_small_run(), is_simulated=True)
    iterate(session)
    drawn = make_map(store, session)
    assert (drawn.facts.reward_version, drawn.facts.answer_model, drawn.returns.shape[0]) == (0, {}, 0)
    assert len(drawn) == 16


def test_a_run_without_behaviour_has_no_map(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run()
    assert map_behaviour(store.engine, store.blobs, run_id)
    with reading(store.engine) as connection:
        assert maps.get_map(connection, run_id) is None


def test_maps_that_were_replaced_leave_no_blob(store: Store, session: Session) -> None:
    make_map(store, session)
    with reading(store.engine) as connection:
        row = maps.get_map(connection, session.run_id)
    assert row is not None
    publish_flipped_reward(store, session)
    make_map(store, session)
    path = store.blobs.local_path(row["arrays"])
    assert path is not None
    assert not path.exists()


def choose_queries_now(session: Session) -> None:
    """Ask a few more questions, whatever the schedule says."""
    session.is_simulated = False
    assert choose_queries(session)


def publish_flipped_reward(store: Store, session: Session) -> None:
    """Store a second reward version that says the opposite of the first."""
    with reading(store.engine) as connection:
        row = models.get_reward_version(connection, session.run_id, 1)
    arrays, _ = store.blobs.read_arrays(row["arrays"])
    arrays["gain"] = -arrays["gain"]
    name = store.blobs.write_arrays(arrays)
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection, session.run_id, 2, arrays=name, num_answers=8, steps=session.steps, report={}
        )
        runs.update_run(connection, session.run_id, reward_version=2)
