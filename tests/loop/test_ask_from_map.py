"""Pointing at behaviour on a map: which pairs are asked, and when."""

from collections.abc import Callable

import numpy as np
import pytest
from small_map import small_map

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.ask_from_map import Piece, ask_from_map
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.behaviour_map import BehaviourMap
from rlhf.storage import queries, runs, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Replay, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


@pytest.fixture
def ids(run_id: str, make_segment: Make) -> list[str]:
    """Ten segments that all look different."""
    return [make_segment(run_id) for _ in range(10)]


def picked(store: Store, run_id: str) -> list[dict[str, object]]:
    with reading(store.engine) as connection:
        rows = connection.execute(queries.queries.select()).mappings().all()
    return [dict(row) for row in rows if row["run_id"] == run_id and row["kind"] is QueryKind.PICKED]


def ask(store: Store, run_id: str, drawn: BehaviourMap, chosen: list[str], count: int) -> int:
    pieces = [Piece(one, 0) for one in chosen]
    return ask_from_map(store.engine, store.blobs, run_id, drawn, pieces, count)


def test_each_question_shows_something_chosen_and_no_clip_twice(
    store: Store, run_id: str, ids: list[str]
) -> None:
    assert ask(store, run_id, small_map(ids), ids[:4], 3) == 3
    rows = picked(store, run_id)
    assert len(rows) == 3
    sides = [(row["left_id"], row["right_id"]) for row in rows]
    assert all(set(pair) & set(ids[:4]) for pair in sides)
    assert len({one for pair in sides for one in pair}) == 6
    assert {row["status"] for row in rows} == {QueryStatus.RENDERING}


def test_one_chosen_point_is_compared_with_others(store: Store, run_id: str, ids: list[str]) -> None:
    assert ask(store, run_id, small_map(ids), ids[:1], 5) == 1
    (row,) = picked(store, run_id)
    assert ids[0] in (row["left_id"], row["right_id"])
    assert row["left_id"] != row["right_id"]


def test_what_members_contradict_each_other_about_is_asked_first(
    store: Store, run_id: str, ids: list[str]
) -> None:
    returns = np.zeros((2, 10))
    returns[:, 1] = (4.0, -4.0)  # of the chosen three, only the second one is in doubt
    drawn = small_map(ids, returns=returns)
    assert ask(store, run_id, drawn, ids[:3], 1) == 1
    (row,) = picked(store, run_id)
    assert ids[1] in (row["left_id"], row["right_id"])
    assert row["predicted"] == pytest.approx(0.5)


def test_the_prediction_is_that_of_the_left_clip(store: Store, run_id: str, ids: list[str]) -> None:
    returns = np.zeros((2, 10))
    returns[:, 0] = 2.0
    ask(store, run_id, small_map(ids, returns=returns), ids[:1], 1)
    (row,) = picked(store, run_id)
    expected = 1 / (1 + np.exp(-2.0)) if row["left_id"] == ids[0] else 1 / (1 + np.exp(2.0))
    assert row["predicted"] == pytest.approx(expected, abs=1e-6)


def test_without_a_reward_nothing_is_predicted(store: Store, run_id: str, ids: list[str]) -> None:
    drawn = small_map(ids, returns=np.zeros((1, 10)), reward_version=0)
    assert ask(store, run_id, drawn, ids[:4], 2) == 2
    assert [row["predicted"] for row in picked(store, run_id)] == [None, None]


def test_a_pair_is_not_asked_twice(store: Store, run_id: str, ids: list[str]) -> None:
    drawn = small_map(ids[:2])
    assert ask(store, run_id, drawn, ids[:2], 5) == 1
    assert ask(store, run_id, drawn, ids[:2], 5) == 0
    assert len(picked(store, run_id)) == 1


def test_clips_that_look_alike_are_not_compared(store: Store, run_id: str, make_segment: Make) -> None:
    one = make_segment(run_id)
    with reading(store.engine) as connection:
        row = segments.get_segment_row(connection, one)
        segment = segments.load_segment(connection, store.blobs, one)
    with writing(store.engine) as connection:
        same = segments.insert_segment(connection, run_id, segment, row["arrays"], None)
    assert ask(store, run_id, small_map([one, same]), [one, same], 1) == 0


def test_windows_of_an_episode_become_segments_as_long_as_the_others(
    store: Store, run_id: str, ids: list[str]
) -> None:
    rng = np.random.default_rng(1)
    episode = Segment(
        observations=rng.normal(size=(13, 2)).astype(np.float32),
        actions=rng.uniform(-1, 1, size=(12, 1)).astype(np.float32),
        absorbing=np.zeros(12, np.bool_),
        policy_version=4,
        replay=Replay(reset_seed=3, start=0, sim_states=rng.normal(size=(13, 5))),
    )
    arrays = store.blobs.write_arrays(episode.to_arrays())
    with writing(store.engine) as connection:
        replay = segments.insert_segment(connection, run_id, episode, arrays, None)
    drawn = small_map([replay, *ids])
    drawn.start[0] = 5
    ask_from_map(store.engine, store.blobs, run_id, drawn, [Piece(replay, 5)], 1)
    (row,) = picked(store, run_id)
    (new,) = {row["left_id"], row["right_id"]} - set(ids)
    assert new != replay
    with reading(store.engine) as connection:
        window = segments.load_segment(connection, store.blobs, str(new))
    np.testing.assert_array_equal(window.observations, episode.observations[5:9])
    assert (window.num_steps, window.policy_version, window.replay.start) == (3, 4, 5)


def test_it_comes_before_what_the_model_chose_and_does_not_expire(
    store: Store, run_id: str, ids: list[str], make_query: Make, make_annotator: Make
) -> None:
    chosen = [make_query(run_id) for _ in range(3)]
    ask(store, run_id, small_map(ids), ids[:4], 1)
    (row,) = picked(store, run_id)
    person = make_annotator()
    with writing(store.engine) as connection:
        queries.set_status(connection, str(row["id"]), QueryStatus.READY)
        queries.expire_replaced(connection, run_id, before_reward_version=9, wanted=0)
        queries.expire_after(connection, run_id, -1)
        leased = queries.lease_ready(connection, run_id, person, 1)
    assert [one["id"] for one in leased] == [row["id"]]
    assert chosen


def test_a_teacher_leaves_it_to_people(store: Store, run_id: str, ids: list[str]) -> None:
    ask(store, run_id, small_map(ids), ids[:4], 1)
    scale = {"mean_return": 0.0, "lowest_return": -1.0, "difference_sd": 1.0}
    with writing(store.engine) as connection:
        runs.update_run(
            connection, run_id, teacher="oracle", baseline={"random_return": 0.0, "teacher_scale": scale}
        )
    assert ask_teacher(store.engine, store.blobs, run_id, 5) == 0


def test_several_calls_ask_different_pairs(store: Store, run_id: str, ids: list[str]) -> None:
    drawn = small_map(ids)
    for _ in range(2):
        assert ask(store, run_id, drawn, ids, 3) == 3
    pairs = [frozenset((row["left_id"], row["right_id"])) for row in picked(store, run_id)]
    assert len(set(pairs)) == 6


@pytest.mark.parametrize("count", [0, 21])
def test_too_few_and_too_many_are_refused(store: Store, run_id: str, ids: list[str], count: int) -> None:
    with pytest.raises(FeedbackError, match="1 to 20"):
        ask(store, run_id, small_map(ids), ids, count)


def test_what_is_not_on_the_map_is_refused(store: Store, run_id: str, ids: list[str]) -> None:
    with pytest.raises(FeedbackError, match="on the map any more"):
        ask(store, run_id, small_map(ids), ["nothing"], 1)


def test_an_unknown_run_is_refused(store: Store, ids: list[str]) -> None:
    with pytest.raises(NotFoundError):
        ask(store, "nowhere", small_map(ids), ids, 1)


@pytest.mark.parametrize("text", ["", "abc", ":3", "abc:-1", "abc:1:2", "a b:1", None, 7, "x" * 65 + ":1"])
def test_a_piece_that_names_nothing_is_refused(text: object) -> None:
    with pytest.raises(FeedbackError, match="named"):
        Piece.parse(text)


def test_a_piece_is_read_back() -> None:
    assert Piece.parse("0a1b:25") == Piece("0a1b", 25)
