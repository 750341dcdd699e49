"""What researchers decide can be taken back, step by step, and reaches what is learned."""

from collections.abc import Callable

import pytest

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop import supervise
from rlhf.loop.fit_reward import teaching_answers
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import acts, queries
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.people import ActKind
from rlhf.ui.store import Store

Make = Callable[..., str]
BY = {"by": "Researcher", "reason": "why"}


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


def _answer(store: Store, run_id: str, query_id: str, person: str, choice: Choice = Choice.LEFT) -> None:
    answer = Answer(key=f"{query_id[:20]}-{person[:20]}", query_id=query_id, choice=choice)
    record_answer(store.engine, run_id, person, answer)


def _held(store: Store, run_id: str, kind: ActKind, subject: str) -> object:
    with reading(store.engine) as connection:
        return acts.holds(connection, run_id, kind, subject)


def _taught(store: Store, run_id: str) -> list[tuple[str, float]]:
    """Who gave the answers that are learned from, and what each counts."""
    with reading(store.engine) as connection:
        rows, weights = teaching_answers(connection, run_id)
    return [(row["annotator_id"], weight) for row, weight in zip(rows, weights, strict=True)]


def test_pausing_and_resuming(store: Store, run_id: str) -> None:
    supervise.pause(store.engine, run_id, "ann", **BY)
    assert _held(store, run_id, ActKind.PAUSE, "ann") is True
    supervise.resume(store.engine, run_id, "ann", **BY)
    assert _held(store, run_id, ActKind.PAUSE, "ann") is False


def test_each_undo_restores_what_held_before(store: Store, run_id: str) -> None:
    supervise.weigh(store.engine, run_id, "ann", 0.5, **BY)
    second = supervise.weigh(store.engine, run_id, "ann", 0.0, **BY)
    undone = supervise.undo(store.engine, second, by="Researcher")
    assert _held(store, run_id, ActKind.WEIGHT, "ann") == 0.5
    supervise.undo(store.engine, undone, by="Researcher")
    assert _held(store, run_id, ActKind.WEIGHT, "ann") == 0.0
    with reading(store.engine) as connection:
        assert len(acts.list_acts(connection, run_id)) == 4


def test_only_the_newest_decision_is_taken_back(store: Store, run_id: str) -> None:
    first = supervise.weigh(store.engine, run_id, "ann", 0.5, **BY)
    supervise.weigh(store.engine, run_id, "ann", 0.0, **BY)
    supervise.weigh(store.engine, run_id, "bob", 0.0, **BY)
    with pytest.raises(FeedbackError, match="newer"):
        supervise.undo(store.engine, first, by="Researcher")


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_its_range_is_refused(store: Store, run_id: str, weight: float) -> None:
    with pytest.raises(FeedbackError, match="between 0"):
        supervise.weigh(store.engine, run_id, "ann", weight, **BY)
    assert _held(store, run_id, ActKind.WEIGHT, "ann") == 1.0


def test_weights_reach_what_is_learned(
    store: Store, run_id: str, make_query: Make, make_annotator: Make
) -> None:
    ann, bob, cy = (make_annotator() for _ in range(3))
    for person in (ann, bob, cy):
        _answer(store, run_id, make_query(run_id), person)
    supervise.weigh(store.engine, run_id, bob, 0.5, **BY)
    supervise.weigh(store.engine, run_id, cy, 0.0, **BY)
    assert _taught(store, run_id) == [(ann, 1.0), (bob, 0.5)]


def test_answers_to_a_gold_pair_are_not_learned_from(
    store: Store, run_id: str, make_query: Make, make_annotator: Make
) -> None:
    ann, query_id = make_annotator(), make_query(run_id)
    _answer(store, run_id, query_id, ann)
    act = supervise.mark_gold(store.engine, query_id, Choice.RIGHT, **BY)
    assert _taught(store, run_id) == []
    supervise.undo(store.engine, act, by="Researcher")
    assert _taught(store, run_id) == [(ann, 1.0)]


def test_gold_shown_again_teaches_nothing_and_a_repeat_does(
    store: Store, run_id: str, make_query: Make, make_annotator: Make
) -> None:
    ann = make_annotator()
    for kind in (QueryKind.GOLD, QueryKind.REPEAT):
        _answer(store, run_id, make_query(run_id, kind=kind), ann)
    assert len(_taught(store, run_id)) == 1


def test_what_cannot_be_gold_is_refused(store: Store, run_id: str, make_query: Make) -> None:
    with pytest.raises(FeedbackError, match="skip"):
        supervise.mark_gold(store.engine, make_query(run_id), Choice.SKIP, **BY)
    with pytest.raises(FeedbackError, match="earlier one"):
        supervise.mark_gold(store.engine, make_query(run_id, kind=QueryKind.REPEAT), Choice.LEFT, **BY)
    with pytest.raises(NotFoundError):
        supervise.mark_gold(store.engine, "no-such-pair", Choice.LEFT, **BY)


def test_what_nobody_can_be_shown_is_no_gold(store: Store, run_id: str, make_segment: Make) -> None:
    sides = [make_segment(run_id, drawn=False) for _ in range(2)]
    with writing(store.engine) as connection:
        query_id = queries.insert_query(
            connection,
            run_id,
            left_id=sides[0],
            right_id=sides[1],
            kind=QueryKind.ACTIVE,
            score=None,
            predicted=None,
            policy_version=0,
            reward_version=0,
        )
    with pytest.raises(FeedbackError, match="never drawn"):
        supervise.mark_gold(store.engine, query_id, Choice.LEFT, **BY)


def test_endless_reasons_are_refused(store: Store, run_id: str) -> None:
    with pytest.raises(FeedbackError, match="501 characters"):
        supervise.pause(store.engine, run_id, "ann", by="Researcher", reason="x" * 501)
