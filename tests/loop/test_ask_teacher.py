import time
from collections.abc import Callable

import pytest

from rlhf.errors import FeedbackError
from rlhf.experience.tasks import get_task
from rlhf.loop.ask_teacher import answers_due, ask_teacher
from rlhf.loop.config import resolve
from rlhf.loop.iterate import iterate
from rlhf.loop.record_demonstration import demonstrate_by_expert
from rlhf.loop.record_feedback import Answer, Receipt, record_answer
from rlhf.loop.session import open_session
from rlhf.storage import answers, queries, runs
from rlhf.storage.demonstrations import list_valid, set_voided
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import annotators
from rlhf.storage.schema import queries as queries_table
from rlhf.storage.segments import load_true_rewards
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store


@pytest.fixture
def ask(store: Store, new_small_run: Callable[..., str]) -> Callable[..., str]:
    """``ask(teacher)`` returns a run that has asked its first eight queries."""

    def make(teacher: str | None = "oracle", task: str = "pendulum-swingup") -> str:
        run_id = new_small_run(task, teacher=teacher)
        iterate(open_session(store.engine, store.blobs, run_id, is_simulated=True))
        return run_id

    return make


def test_few_answers_are_spent_on_random_behaviour_when_something_was_shown(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    labels = {"schedule.labels": 50, "schedule.initial_labels": 40, "schedule.initial_share": 0.1}
    run_id = new_small_run("cartpole-balance", **labels)
    config = resolve(get_task("cartpole-balance"), labels)

    def due() -> int:
        with reading(store.engine) as connection:
            return answers_due(connection, run_id, config, 0)[0]

    assert due() == 40
    demonstrate_by_expert(store.engine, store.blobs, run_id, 1)
    assert due() == config.demonstrations.initial_labels
    with writing(store.engine) as connection:
        (shown,) = list_valid(connection, run_id)
        set_voided(connection, shown["id"], True)
    assert due() == 40


def given(store: Store, run_id: str) -> list[Choice]:
    with reading(store.engine) as connection:
        return [row["choice"] for row in answers.standing_answers(connection, run_id)]


def test_the_oldest_queries_are_answered_first(store: Store, ask: Callable[..., str]) -> None:
    run_id = ask()
    with reading(store.engine) as connection:
        before = [row["id"] for row in queries.list_open(connection, run_id)]
    assert ask_teacher(store.engine, store.blobs, run_id, 3) == 3
    with reading(store.engine) as connection:
        assert [row["id"] for row in queries.list_open(connection, run_id)] == before[3:]
        assert queries.count_by_status(connection, run_id)[QueryStatus.ANSWERED] == 3


def test_the_oracle_prefers_the_larger_true_return(store: Store, ask: Callable[..., str]) -> None:
    run_id = ask()
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 8
    with reading(store.engine) as connection:
        for row in answers.standing_answers(connection, run_id):
            left, right = load_true_rewards(connection, store.blobs, [row["left_id"], row["right_id"]])
            assert row["choice"] is (Choice.LEFT if left.sum() > right.sum() else Choice.RIGHT)


def test_a_teacher_gives_runs_of_the_same_seed_the_same_answers(
    store: Store, ask: Callable[..., str]
) -> None:
    first, second = ask("random"), ask("random")
    for run_id in (first, second):
        ask_teacher(store.engine, store.blobs, run_id, 100)
    assert {Choice.LEFT, Choice.RIGHT} == set(given(store, first))
    assert given(store, second) == given(store, first)


def test_each_member_of_a_crowd_answers_under_a_name_of_its_own(
    store: Store, ask: Callable[..., str]
) -> None:
    run_id = ask("oracle+flipped")
    ask_teacher(store.engine, store.blobs, run_id, 100)
    with reading(store.engine) as connection:
        rows = connection.execute(annotators.select()).all()
    assert {row.name for row in rows} == {"Teacher: oracle", "Teacher: flipped"}
    assert all(row.is_teacher for row in rows)


def test_a_query_that_a_person_looks_at_is_left_to_them(
    store: Store, ask: Callable[..., str], make_annotator: Callable[..., str]
) -> None:
    run_id, person = ask(), make_annotator()
    with writing(store.engine) as connection:
        held = queries.list_open(connection, run_id)[0]["id"]
        queries.set_status(connection, held, QueryStatus.READY)
        queries.lease_ready(connection, run_id, person, 1)
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 7
    with reading(store.engine) as connection:
        assert [row["id"] for row in queries.list_open(connection, run_id)] == [held]
    receipt = record_answer(
        store.engine,
        run_id,
        person,
        Answer(key="key-12345", query_id=held, choice=Choice.LEFT, answered_at=time.time()),
    )
    assert isinstance(receipt, Receipt)
    assert len(given(store, run_id)) == 8


def test_what_is_asked_of_one_person_is_left_to_them(
    store: Store, ask: Callable[..., str], make_annotator: Callable[..., str]
) -> None:
    run_id, person = ask(), make_annotator()
    with writing(store.engine) as connection:
        asked = queries.list_open(connection, run_id)[0]["id"]
        connection.execute(queries_table.update().where(queries_table.c.id == asked).values(asked_of=person))
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 7
    with reading(store.engine) as connection:
        assert answers.standing_answers_to(connection, [asked]) == []


def test_with_nothing_open_nothing_is_answered(store: Store, ask: Callable[..., str]) -> None:
    run_id = ask()
    ask_teacher(store.engine, store.blobs, run_id, 100)
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 0


def test_a_run_without_a_teacher_cannot_be_answered(store: Store, ask: Callable[..., str]) -> None:
    run_id = ask(None)
    with pytest.raises(FeedbackError, match="no teacher"):
        ask_teacher(store.engine, store.blobs, run_id, 1)


def test_a_run_that_has_not_explored_cannot_be_answered(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    run_id = new_small_run()
    with reading(store.engine) as connection:
        assert runs.get_run(connection, run_id)["baseline"] is None
    with pytest.raises(FeedbackError, match="has not explored"):
        ask_teacher(store.engine, store.blobs, run_id, 1)


def test_a_second_opinion_is_left_to_people(store: Store, ask: Callable[..., str]) -> None:
    run_id = ask()
    with writing(store.engine) as connection:
        connection.execute(queries_table.update().values(wanted_answers=2))
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 8
    assert ask_teacher(store.engine, store.blobs, run_id, 100) == 0
    with reading(store.engine) as connection:
        assert len(queries.list_open(connection, run_id)) == 8
