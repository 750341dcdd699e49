"""Each filter finds what it says, pages neither lose nor repeat, and counting agrees with listing."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.void_answers import restore_answer, void_answers
from rlhf.storage import schema
from rlhf.storage.answer_search import (
    AnswerFilter,
    AnswerStatus,
    count_answers,
    find_answers,
    get_answer,
    history,
    list_people,
)
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


class Archive:
    """Answers of two people in every status; keys say what is special about them."""

    def __init__(self, store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> None:
        self.store, self.run_id = store, make_run()
        self.people = [make_annotator(), make_annotator()]
        self.queries: dict[str, str] = {}
        kinds = {"audit": QueryKind.AUDIT}
        for name in (
            "plain",
            "audit",
            "commented",
            "tagged",
            "late",
            "undone",
            "replaced",
            "voided",
            "restored",
        ):
            status = QueryStatus.EXPIRED if name == "late" else QueryStatus.READY
            self.queries[name] = make_query(
                self.run_id, kind=kinds.get(name, QueryKind.ACTIVE), status=status, reward_version=len(name)
            )
        self.add("plain")
        self.add("audit", choice=Choice.RIGHT, person=1)
        self.add("commented", details={"comment": "It FÄLLT, 100 % of the time"})
        self.add("tagged", details={"tags": ["Upright"]})
        self.add("late")
        self.add("undone")
        self.add("undone", key="undo-undone", choice=Choice.UNDO, takes_back="key-undone")
        self.add("replaced")
        self.add("replaced", key="key-replacing", choice=Choice.EQUAL)
        for name in ("voided", "restored"):
            self.add(name)
            void_answers(
                store.engine, AnswerFilter(run_id=self.run_id, answer_id=self.id_of(name)), by="b", reason="r"
            )
        restore_answer(store.engine, self.run_id, "key-restored", by="b")

    def add(self, name: str, *, key: str | None = None, choice: Choice = Choice.LEFT, **more: object) -> None:
        person = self.people[int(str(more.pop("person", 0)))]
        answer = Answer(key=key or f"key-{name}", query_id=self.queries[name], choice=choice, **more)  # type: ignore[arg-type]
        record_answer(self.store.engine, self.run_id, person, answer)

    def id_of(self, name: str) -> int:
        with reading(self.store.engine) as connection:
            return int(get_answer(connection, self.run_id, f"key-{name}")["id"])

    def find(self, **wanted: object) -> set[str]:
        """What a filter finds, after checking that it is counted alike."""
        found = AnswerFilter(run_id=self.run_id, **wanted)  # type: ignore[arg-type]
        with reading(self.store.engine) as connection:
            rows = find_answers(connection, found, limit=100)
            assert count_answers(connection, found) == len(rows)
        return {row["key"].removeprefix("key-") if row["key"].startswith("key-") else "copy" for row in rows}


@pytest.fixture
def archive(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> Archive:
    return Archive(store, make_run, make_query, make_annotator)


@pytest.mark.parametrize(
    ("status", "keys"),
    [
        (AnswerStatus.STANDING, {"plain", "audit", "commented", "tagged", "replacing", "copy"}),
        (AnswerStatus.LATE, {"late"}),
        (AnswerStatus.VOIDED, {"voided"}),
        (AnswerStatus.UNDONE, {"undone"}),
        (AnswerStatus.REPLACED, {"replaced", "restored"}),
    ],
)
def test_each_status_finds_its_own_and_says_so(
    archive: Archive, status: AnswerStatus, keys: set[str]
) -> None:
    assert archive.find(status=status) == keys
    with reading(archive.store.engine) as connection:
        rows = find_answers(connection, AnswerFilter(run_id=archive.run_id, status=status), limit=100)
    assert {row["status"] for row in rows} == {status.value}


def test_statuses_together_are_all_answers(archive: Archive) -> None:
    parts = [archive.find(status=status) for status in AnswerStatus]
    assert set.union(*parts) == archive.find()
    assert sum(map(len, parts)) == len(archive.find())


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"choices": (Choice.RIGHT, Choice.EQUAL)}, {"audit", "replacing"}),
        ({"kinds": (QueryKind.AUDIT,)}, {"audit"}),
        ({"min_version": 9}, {"commented"}),
        ({"max_version": 4}, {"late"}),
        ({"has_reason": True}, {"commented", "tagged"}),
        ({"text": "fällt"}, {"commented"}),
        ({"text": "UPRIGHT"}, {"tagged"}),
        ({"text": "%"}, {"commented"}),
        ({"text": "_"}, set()),
        ({"until": 1.0}, set()),
    ],
)
def test_each_filter_finds_its_own(archive: Archive, wanted: dict[str, object], keys: set[str]) -> None:
    assert archive.find(**wanted) == keys


def test_person_is_found_and_listed(archive: Archive) -> None:
    assert archive.find(people=(archive.people[1],)) == {"audit"}
    with reading(archive.store.engine) as connection:
        assert {found for found, _ in list_people(connection, archive.run_id)} == set(archive.people)


def test_dates_bound_when_an_answer_came(archive: Archive) -> None:
    with writing(archive.store.engine) as connection:
        is_plain = schema.answers.c.key == "key-plain"
        connection.execute(schema.answers.update().where(is_plain).values(received_at=500.0))
    assert archive.find(since=500.0, until=500.5) == {"plain"}
    assert archive.find(until=500.0) == set()


def test_pages_in_both_directions_are_the_whole_list(archive: Archive) -> None:
    wanted = AnswerFilter(run_id=archive.run_id)
    with reading(archive.store.engine) as connection:
        whole = [row["id"] for row in find_answers(connection, wanted, limit=100)]
        older: list[int] = []
        while page := find_answers(connection, wanted, limit=3, before_id=older[-1] if older else None):
            older += [row["id"] for row in page]
        newer = [whole[-1]]
        while page := find_answers(connection, wanted, limit=3, after_id=newer[0]):
            newer = [row["id"] for row in page] + newer
    assert whole == older == newer == sorted(whole, reverse=True)


def test_history_tells_who_superseded_what(archive: Archive) -> None:
    with reading(archive.store.engine) as connection:
        rows = history(connection, archive.queries["restored"])
    assert [row["choice"] for row in rows] == [Choice.LEFT, Choice.UNDO, Choice.LEFT]
    assert [row["supersedes"] for row in rows] == [None, rows[0]["id"], rows[1]["id"]]
    assert [row["changed_by"] for row in rows] == [None, "b", "b"]


def test_an_undo_is_no_answer(archive: Archive) -> None:
    with reading(archive.store.engine) as connection, pytest.raises(NotFoundError, match="no answer"):
        get_answer(connection, archive.run_id, "undo-undone")


def test_counting_reads_no_row_of_the_table(archive: Archive) -> None:
    """Else a million of them would take seconds."""
    table = schema.answers
    query = sa.select(sa.func.count()).where(
        table.c.run_id == archive.run_id, table.c.choice == Choice.LEFT, table.c.received_at > 0
    )
    text = str(query.compile(archive.store.engine, compile_kwargs={"literal_binds": True}))
    with reading(archive.store.engine) as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
    assert "COVERING INDEX answers_to_filter" in plan
