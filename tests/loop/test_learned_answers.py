"""What stored answers are to the reward model: strengths, rankings and ratings."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from rlhf.loop.fit_reward import fit_reward, teaching_answers
from rlhf.loop.iterate import iterate
from rlhf.loop.read_orders import Orders, read_orders
from rlhf.loop.record_item import record_item
from rlhf.loop.session import Session, open_session
from rlhf.loop.void_answers import void_answers
from rlhf.storage import acts, answers, queries, runs
from rlhf.storage.answer_search import AnswerFilter
from rlhf.storage.engine import reading, writing
from rlhf.types.people import ActKind
from rlhf.ui.store import Store

Make = Callable[..., Any]
UNLEARNED_WIDTH = 1.5
"""What the answer model takes for "clear" while nobody says how clear anything was."""
_KEYS = itertools.count()


@pytest.fixture
def asking(store: Store, new_small_run: Make) -> Session:
    """The session of a run that people teach, with pairs to answer and no reward yet."""
    settings = {
        "schedule.open_queries": 16,
        "schedule.first_answers": 1,
        "schedule.refit_answers": 1,
        "schedule.refit_share": 0.01,
    }
    session = open_session(store.engine, store.blobs, new_small_run(teacher=None, **settings))
    iterate(session)
    return session


def open_queries(session: Session) -> list[str]:
    with reading(session.engine) as connection:
        return [row["id"] for row in queries.list_open(connection, session.run_id)]


def tell(session: Session, annotator: str, query_id: str, **fields: Any) -> None:
    send(session, annotator, query_id=query_id, **{"choice": "left"} | fields)


def send(session: Session, annotator: str, **item: Any) -> str:
    key = f"key-{next(_KEYS):05}"
    record_item(session.engine, session.run_id, annotator, {"key": key} | item)
    return key


def rank(session: Session, annotator: str, first: str, second: str, places: list[tuple[str, str]]) -> str:
    clips = [list(place) for place in places]
    return send(session, annotator, form="ranking", query_ids=[first, second], places=clips)


def orders(session: Session) -> Orders:
    with reading(session.engine) as connection:
        rows, _ = teaching_answers(connection, session.run_id)
        return read_orders(connection, session.run_id, rows)


def clip(session: Session, query_id: str, side: str) -> str:
    with reading(session.engine) as connection:
        return str(queries.get_query(connection, query_id)[f"{side}_id"])


@pytest.mark.parametrize(("strengths", "is_learned"), [((1, 2), True), ((1, 1), False), ((None,), False)])
def test_strength_reaches_the_reward_model(
    asking: Session, make_annotator: Make, strengths: tuple[int | None, ...], is_learned: bool
) -> None:
    person = make_annotator()
    for query_id, strength in zip(open_queries(asking), itertools.cycle(strengths), strict=False):
        tell(asking, person, query_id, strength=strength)
    report = fit_reward(asking)
    assert report is not None
    assert (report.clear_width != UNLEARNED_WIDTH) == is_learned


def test_another_strength_alone_is_learned_from(asking: Session, make_annotator: Make) -> None:
    person, (first, *others) = make_annotator(), open_queries(asking)
    for query_id in (first, *others):
        tell(asking, person, query_id, strength=1)
    assert fit_reward(asking) is not None
    tell(asking, person, first, strength=1)
    assert fit_reward(asking) is None
    tell(asking, person, first, strength=2)
    assert fit_reward(asking) is not None


def test_rankings_alone_teach(asking: Session, make_annotator: Make) -> None:
    person, pairs = make_annotator(), open_queries(asking)
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        rank(asking, person, first, second, [(first, "left"), (second, "right"), (second, "left")])
    report = fit_reward(asking)
    assert report is not None
    assert report.num_comparisons == len(pairs) // 2


def test_ranking_stands_for_the_answers_of_its_pairs(asking: Session, make_annotator: Make) -> None:
    person, (first, second, third, *_) = make_annotator(), open_queries(asking)
    rank(asking, person, first, second, [(second, "left"), (first, "right")])
    tell(asking, person, third)
    found = orders(asking)
    (ranked,) = found.rankings
    assert ranked.order[:2] == (clip(asking, second, "left"), clip(asking, first, "right"))
    assert (ranked.num_ranked, len(ranked.order), len(found.replaced)) == (2, 4, 2)
    report = fit_reward(asking)
    assert report is not None
    assert report.num_comparisons == 2


def test_the_best_of_four_alone_is_a_ranking(asking: Session, make_annotator: Make) -> None:
    first, second, *_ = open_queries(asking)
    rank(asking, make_annotator(), first, second, [(second, "right")])
    (ranked,) = orders(asking).rankings
    assert (ranked.order[0], ranked.num_ranked) == (clip(asking, second, "right"), 1)


def test_ranking_does_not_count_once_a_pair_is_answered_anew_or_taken_back(
    asking: Session, make_annotator: Make
) -> None:
    person, (first, second, third, fourth, *_) = make_annotator(), open_queries(asking)
    rank(asking, person, first, second, [(second, "left"), (first, "right")])
    tell(asking, person, first, choice="equal")
    key = rank(asking, person, third, fourth, [(third, "left"), (fourth, "right")])
    send(asking, person, form="ranking", query_ids=[third, fourth], of=key)
    found = orders(asking)
    assert (found.rankings, found.replaced) == ((), frozenset())


def test_ratings_are_compared_within_and_across_pairs(asking: Session, make_annotator: Make) -> None:
    person, (first, second, *_) = make_annotator(), open_queries(asking)
    for query_id, side, value in ((first, "left", 4), (first, "right", 2), (second, "left", 3)):
        send(asking, person, form="rating", query_id=query_id, side=side, rating=value)
    best, between, worst = (
        clip(asking, first, "left"),
        clip(asking, second, "left"),
        clip(asking, first, "right"),
    )
    assert orders(asking).compared == ((between, worst, person), (best, between, person))
    report = fit_reward(asking)
    assert report is not None
    assert (report.num_comparisons, asking.fitted) == (3, 1)  # one pair is answered


@pytest.mark.parametrize("how", ["set aside", "answered anew", "made gold", "one taken back"])
def test_ratings_across_pairs_count_as_long_as_what_they_said_of_their_own_does(
    asking: Session, make_annotator: Make, how: str
) -> None:
    person, (first, second, third, *_) = make_annotator(), open_queries(asking)
    for query_id, left, right in ((first, 5, 1), (second, 4, 2), (third, 3, 4)):
        send(asking, person, form="rating", query_id=query_id, side="left", rating=left)
        key = send(asking, person, form="rating", query_id=query_id, side="right", rating=right)
    own = {clip(asking, third, side) for side in ("left", "right")}

    def seen() -> set[str]:
        return own & {segment for better, worse, _ in orders(asking).compared for segment in (better, worse)}

    assert seen() == own
    if how == "set aside":
        with reading(asking.engine) as connection:
            given = answers.standing_answers_to(connection, [third])[0]["id"]
        void_answers(asking.engine, AnswerFilter(run_id=asking.run_id, answer_id=given), by="x", reason="x")
    elif how == "answered anew":
        tell(asking, person, third)
    elif how == "made gold":
        with writing(asking.engine) as connection:
            acts.insert_act(
                connection, asking.run_id, ActKind.GOLD, subject=third, value="left", by="x", reason="x"
            )
    else:
        send(asking, person, form="rating", query_id=third, side="right", rating=None, of=key)
    assert seen() == ({clip(asking, third, "left")} if how == "one taken back" else set())


def test_when_all_answers_are_set_aside_the_reward_stays_and_says_so_once(
    asking: Session, make_annotator: Make
) -> None:
    person = make_annotator()
    for query_id in open_queries(asking):
        tell(asking, person, query_id)
    assert fit_reward(asking) is not None
    version = asking.reward_version
    void_answers(asking.engine, AnswerFilter(run_id=asking.run_id), by="x", reason="x")
    for _ in range(3):
        assert fit_reward(asking) is None
    assert asking.reward_version == version
    with reading(asking.engine) as connection:
        warned = [e["message"] for e in runs.list_events(connection, asking.run_id) if e["kind"] == "warning"]
    assert len(warned) == 1
    assert "No answer is left" in warned[0]
