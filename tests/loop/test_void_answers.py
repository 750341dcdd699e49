"""What a researcher sets aside is kept, is not learned from, and comes back as it was."""

import dataclasses
import random
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.record_feedback import Answer, Outcome, record_answer
from rlhf.loop.void_answers import Act, answer_again, restore_answer, revert_change, void_answers
from rlhf.storage import answer_changes, answers, schema
from rlhf.storage.answer_search import AnswerFilter, AnswerStatus, find_answers, get_answer
from rlhf.storage.engine import reading
from rlhf.types.feedback import ChangeKind, Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]
BY = "researcher-1"


@dataclasses.dataclass
class Desk:
    store: Store
    run_id: str
    people: list[str]
    pairs: list[str]

    def answer(self, pair: int, choice: Choice, person: int = 0, **more: object) -> str:
        """Answer and return the key."""
        key = f"key-{pair:03}-{person}-{random.randrange(10**6):06}"
        answer = Answer(key=key, query_id=self.pairs[pair], choice=choice, **more)  # type: ignore[arg-type]
        assert record_answer(self.store.engine, self.run_id, self.people[person], answer).outcome in (
            Outcome.SAVED,
            Outcome.LATE,
        )
        return key

    def void(self, *keys: str, reason: str = "clicked at random") -> list[Act]:
        acts = []
        for key in keys:
            with reading(self.store.engine) as connection:
                found = get_answer(connection, self.run_id, key)["id"]
            wanted = AnswerFilter(run_id=self.run_id, answer_id=found)
            acts.append(void_answers(self.store.engine, wanted, by=BY, reason=reason))
        return acts

    def void_all(self, **wanted: object) -> Act:
        found = AnswerFilter(run_id=self.run_id, **wanted)  # type: ignore[arg-type]
        return void_answers(self.store.engine, found, by=BY, reason="all of them")

    def revert(self, act: Act) -> Act:
        assert act.change_id is not None
        return revert_change(self.store.engine, self.run_id, act.change_id, by=BY)

    def standing(self) -> dict[tuple[str, str], Choice]:
        """What stands, after checking that the counters say the same."""
        with reading(self.store.engine) as connection:
            rows = answers.standing_answers(connection, self.run_id)
            counts = answers.count_standing(connection, self.run_id)
            num_late = answers.count_late(connection, self.run_id)
        on_time = [row["choice"] for row in rows if not row["is_late"]]
        assert counts == {choice: on_time.count(choice) for choice in set(on_time)}
        assert num_late == len(rows) - len(on_time)
        found = {(row["query_id"], row["annotator_id"]): row["choice"] for row in rows}
        assert len(found) == len(rows), "two answers of one person to one pair stand"
        return found

    def statuses(self) -> dict[str, str]:
        with reading(self.store.engine) as connection:
            rows = find_answers(connection, AnswerFilter(run_id=self.run_id), limit=100)
        return {row["key"]: row["status"] for row in rows}

    def changes(self) -> list[sa.RowMapping]:
        with reading(self.store.engine) as connection:
            return answer_changes.list_changes(connection, self.run_id, 50)


@pytest.fixture
def desk(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> Desk:
    run_id = make_run()
    return Desk(store, run_id, [make_annotator() for _ in range(2)], [make_query(run_id) for _ in range(4)])


def test_voided_answer_is_kept_and_does_not_stand(desk: Desk) -> None:
    voided, kept = desk.answer(0, Choice.LEFT), desk.answer(1, Choice.RIGHT)
    desk.void(voided)
    assert list(desk.standing().values()) == [Choice.RIGHT]
    assert desk.statuses() == {voided: AnswerStatus.VOIDED.value, kept: AnswerStatus.STANDING.value}


def test_log_says_who_voided_what_and_why(desk: Desk) -> None:
    (act,) = desk.void(desk.answer(0, Choice.LEFT), reason=" looked away ")
    (change,) = desk.changes()
    assert (change["id"], change["by"], change["reason"]) == (act.change_id, BY, "looked away")
    assert (change["kind"], change["num_answers"]) == (ChangeKind.VOID, 1)


def test_restored_answer_is_the_same_answer(desk: Desk) -> None:
    key = desk.answer(0, Choice.LEFT, shown_at=5.0, answered_at=7.0, details={"comment": "Falls"})
    before = desk.standing()
    desk.void(key)
    restore_answer(desk.store.engine, desk.run_id, key, by=BY, reason="was fine")
    assert desk.standing() == before
    with reading(desk.store.engine) as connection:
        old = answers.find_by_key(connection, key)
        (new,) = answers.standing_answers(connection, desk.run_id)
    assert old is not None
    told_apart = {"id", "key", "supersedes", "change_id", "kind", "predicted"}
    assert {k: new[k] for k in old if k not in told_apart} == {k: old[k] for k in old if k not in told_apart}
    assert desk.statuses()[key] == AnswerStatus.REPLACED.value


def test_voiding_and_restoring_again_and_again_counts_right(desk: Desk) -> None:
    key = desk.answer(0, Choice.EQUAL)
    for _ in range(3):
        act = desk.void_all()
        assert (act.num_answers, desk.standing()) == (1, {})
        assert desk.revert(act).num_answers == 1
        assert list(desk.standing().values()) == [Choice.EQUAL]
    assert len(desk.changes()) == 6
    assert desk.statuses()[key] == AnswerStatus.REPLACED.value


def test_many_are_voided_at_once_and_come_back_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlhf.loop.void_answers._PORTION", 2)
    for pair in range(4):
        desk.answer(pair, (Choice.LEFT, Choice.SKIP)[pair % 2], person=pair % 2)
        desk.answer(pair, Choice.RIGHT, person=1 - pair % 2)
    before = desk.standing()
    act = desk.void_all(people=(desk.people[0],))
    assert act.num_answers == 4
    assert {person for _, person in desk.standing()} == {desk.people[1]}
    assert [change["num_answers"] for change in desk.changes()] == [4]
    assert desk.revert(act) == Act(change_id=desk.changes()[0]["id"], num_answers=4)
    assert desk.standing() == before


def test_taking_back_an_act_twice_changes_nothing_more(desk: Desk) -> None:
    desk.answer(0, Choice.LEFT)
    act = desk.void_all()
    desk.revert(act)
    assert desk.revert(act) == Act(change_id=None, num_answers=0)
    assert len(desk.standing()) == 1


def test_nothing_is_logged_when_nothing_is_found(desk: Desk) -> None:
    assert desk.void_all(choices=(Choice.LEFT,)) == Act(change_id=None, num_answers=0)
    assert desk.changes() == []


def test_answers_of_another_run_are_left_alone(desk: Desk, make_run: Make) -> None:
    key = desk.answer(0, Choice.LEFT)
    act = desk.void_all()
    other = make_run()
    with pytest.raises(NotFoundError):
        restore_answer(desk.store.engine, other, key, by=BY)
    with pytest.raises(NotFoundError):
        revert_change(desk.store.engine, other, str(act.change_id), by=BY)
    assert desk.standing() == {}


def test_voided_answer_is_not_the_annotators_undo(desk: Desk) -> None:
    undone, voided = desk.answer(0, Choice.LEFT), desk.answer(1, Choice.LEFT)
    desk.answer(0, Choice.UNDO, takes_back=undone)
    desk.void(voided)
    assert desk.statuses() == {
        undone: AnswerStatus.UNDONE.value,
        voided: AnswerStatus.VOIDED.value,
    }
    with pytest.raises(FeedbackError, match="not set aside"):
        restore_answer(desk.store.engine, desk.run_id, undone, by=BY)


def test_annotator_cannot_take_back_what_is_voided(desk: Desk) -> None:
    key = desk.answer(0, Choice.LEFT)
    desk.void(key)
    undo = Answer(key="undo-0001", query_id=desk.pairs[0], choice=Choice.UNDO, takes_back=key)
    receipt = record_answer(desk.store.engine, desk.run_id, desk.people[0], undo)
    assert receipt.outcome is Outcome.REJECTED


def test_answer_given_anew_meanwhile_is_not_replaced_by_the_restored_one(desk: Desk) -> None:
    desk.answer(0, Choice.LEFT)
    act = desk.void_all()
    desk.answer(0, Choice.RIGHT)
    assert desk.revert(act).num_left_out == 1
    assert list(desk.standing().values()) == [Choice.RIGHT]


def test_late_answer_stays_late_through_void_and_restore(desk: Desk, make_query: Make) -> None:
    desk.pairs.append(make_query(desk.run_id, status=QueryStatus.EXPIRED))
    key = desk.answer(4, Choice.LEFT)
    desk.revert(desk.void_all())
    assert list(desk.standing().values()) == [Choice.LEFT]
    with reading(desk.store.engine) as connection:
        assert answers.count_changes(connection, desk.run_id, 0) == 0
        assert not answers.was_corrected(connection, desk.run_id, 0)
    assert desk.statuses()[key] == AnswerStatus.REPLACED.value


def test_voids_and_restores_are_changes_to_what_is_learned(desk: Desk) -> None:
    desk.answer(0, Choice.LEFT)
    with reading(desk.store.engine) as connection:
        fitted = answers.last_id(connection, desk.run_id)
        assert not answers.was_corrected(connection, desk.run_id, fitted)
    act = desk.void_all()
    desk.revert(act)
    with reading(desk.store.engine) as connection:
        assert answers.count_changes(connection, desk.run_id, fitted) == 2
        assert answers.was_corrected(connection, desk.run_id, fitted)


def test_answering_again_replaces_somebody_elses_answer(desk: Desk) -> None:
    key = desk.answer(0, Choice.LEFT)
    act = answer_again(desk.store.engine, desk.run_id, key, Choice.RIGHT, by=BY, replaces=True)
    assert desk.standing() == {(desk.pairs[0], BY): Choice.RIGHT}
    desk.revert(act)
    assert desk.standing() == {(desk.pairs[0], desk.people[0]): Choice.LEFT}


def test_answering_again_may_leave_the_others_answer(desk: Desk) -> None:
    key = desk.answer(0, Choice.LEFT)
    answer_again(desk.store.engine, desk.run_id, key, Choice.RIGHT, by=BY, replaces=False)
    assert sorted(choice.value for choice in desk.standing().values()) == ["left", "right"]


def test_taking_back_a_second_answer_of_ones_own_brings_the_first_back(desk: Desk) -> None:
    desk.people[0] = BY
    key = desk.answer(0, Choice.LEFT) if _adds(desk, BY) else ""
    act = answer_again(desk.store.engine, desk.run_id, key, Choice.RIGHT, by=BY, replaces=True)
    assert list(desk.standing().values()) == [Choice.RIGHT]
    desk.revert(act)
    assert list(desk.standing().values()) == [Choice.LEFT]


def _adds(desk: Desk, person: str) -> bool:
    with desk.store.engine.begin() as connection:
        answers.insert_annotator(connection, "Researcher", is_teacher=False, annotator_id=person)
    return True


def test_new_answer_is_about_the_sides_that_were_looked_at(desk: Desk) -> None:
    key = desk.answer(0, Choice.LEFT, is_swapped=True)
    answer_again(desk.store.engine, desk.run_id, key, Choice.LEFT, by=BY, replaces=True)
    with reading(desk.store.engine) as connection:
        (new,) = answers.standing_answers(connection, desk.run_id)
        old = answers.find_by_key(connection, key)
    assert old is not None
    assert (new["left_id"], new["right_id"]) == (old["left_id"], old["right_id"])


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_void_without_a_usable_reason_is_refused(desk: Desk, reason: str) -> None:
    key = desk.answer(0, Choice.LEFT)
    with pytest.raises(FeedbackError):
        desk.void(key, reason=reason)
    assert len(desk.standing()) == 1


def test_random_acts_leave_counters_that_agree_with_the_rows(desk: Desk) -> None:
    rng = random.Random(0)
    acts: list[Act] = []
    for _ in range(60):
        kind = rng.random()
        if kind < 0.5:
            desk.answer(rng.randrange(4), rng.choice([Choice.LEFT, Choice.SKIP]), person=rng.randrange(2))
        elif kind < 0.7:
            acts.append(desk.void_all(choices=(rng.choice([Choice.LEFT, Choice.SKIP]),)))
        elif acts and (act := rng.choice(acts)).change_id is not None:
            acts.append(desk.revert(act))
        desk.standing()
    with reading(desk.store.engine) as connection:
        superseded = connection.scalars(sa.select(schema.answers.c.supersedes)).all()
    once = [number for number in superseded if number is not None]
    assert len(once) == len(set(once)), "a row was superseded twice"
