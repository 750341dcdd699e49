"""Which answers are listed to be looked at again, and in what order."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.void_answers import void_answers
from rlhf.storage import answers
from rlhf.storage.answer_search import AnswerFilter
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.types.reward import AnswerViews
from rlhf.ui.disputed_answers import _opinion
from rlhf.ui.reward_view import view_disputed
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> str:
    run_id, person = make_run(), make_annotator()
    for index in range(4):
        answer = Answer(key=f"answer-{index:04}", query_id=make_query(run_id), choice=Choice.LEFT)
        record_answer(store.engine, run_id, person, answer)
    return run_id


def views(store: Store, run_id: str) -> AnswerViews:
    """The third answer is disputed most, then the first; the second moves the reward most."""
    with reading(store.engine) as connection:
        ids = [row["id"] for row in answers.standing_answers(connection, run_id)]
    return AnswerViews(
        answer=np.array(ids),
        lead=np.ones(4, np.float32),
        unseen=np.array([0.4, 0.6, 0.1, 0.9], np.float32),
        against=np.array([1.0, 0.0, 3.0, 0.0], np.float32),
        influence=np.array([0.1, 0.4, 0.3, 0.2], np.float32),
    )


def listed(store: Store, run_id: str, by: str, limit: int = 10) -> list[str]:
    found = view_disputed(store.engine, run_id, views(store, run_id), by, limit)
    return [row["key"][-1] for row, _ in found]


def test_the_most_disputed_comes_first_and_what_is_not_disputed_is_left_out(
    store: Store, run_id: str
) -> None:
    assert listed(store, run_id, "against") == ["2", "0"]
    assert listed(store, run_id, "influence") == ["1", "2", "3", "0"]
    assert listed(store, run_id, "influence", 2) == ["1", "2"]


def test_each_comes_with_what_the_reward_makes_of_it(store: Store, run_id: str) -> None:
    (_, seen), *_ = view_disputed(store.engine, run_id, views(store, run_id), "against", 1)
    assert seen.unseen.tolist() == pytest.approx([0.1])


def test_what_was_set_aside_is_not_listed(store: Store, run_id: str) -> None:
    known = views(store, run_id)
    only = AnswerFilter(run_id=run_id, answer_id=int(known.answer[2]))
    void_answers(store.engine, only, by="researcher", reason="a slip")
    found = view_disputed(store.engine, run_id, known, "against", 10)
    assert [row["key"] for row, _ in found] == ["answer-0000"]


def test_answers_of_another_run_are_not_shown(store: Store, run_id: str, make_run: Make) -> None:
    assert view_disputed(store.engine, make_run(), views(store, run_id), "against", 10) == []


@pytest.mark.parametrize(
    ("prob", "words"), [(0.97, "left better, 97% sure"), (0.25, "right better, 75% sure")]
)
def test_what_the_reward_expects_is_said_in_words(prob: float, words: str) -> None:
    assert _opinion(prob) == words
