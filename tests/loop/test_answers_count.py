"""What counts after any sequence of answers, and after a crash."""

import collections
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.loop.record_feedback import Answer, Outcome, record_answer
from rlhf.storage import answers, queries, schema
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]


class Ledger:
    """What should count, kept the slow way: one entry per pair and annotator, in order of arrival."""

    def __init__(self) -> None:
        self.sent: dict[str, Answer] = {}
        self.by: dict[str, str] = {}
        self.standing: dict[tuple[str, str], tuple[str, Choice]] = {}

    def expect(self, annotator: str, answer: Answer, *, is_expired: bool) -> Outcome:
        """Take an answer and return what its receipt should say."""
        if answer.key in self.sent:
            return Outcome.DUPLICATE
        place = (answer.query_id, annotator)
        if answer.choice is Choice.UNDO:
            if self.standing.get(place, ("", None))[0] != answer.takes_back:
                return Outcome.REJECTED
            del self.standing[place]
        else:
            self.standing.pop(place, None)
            self.standing[place] = (answer.key, answer.choice)
        self.sent[answer.key], self.by[answer.key] = answer, annotator
        return Outcome.LATE if is_expired and answer.choice is not Choice.UNDO else Outcome.SAVED


def _next_answer(rng: random.Random, ledger: Ledger, number: int, pairs: list[str]) -> Answer:
    """A new answer, an undo of anything ever sent, or an old answer sent again."""
    kind = rng.random()
    old = list(ledger.sent.values())
    if old and kind < 0.15:
        return rng.choice(old)
    key, query_id = f"key-{number:05}", rng.choice(pairs)
    if old and kind < 0.45:
        undone = rng.choice(old[-6:])
        query_id = undone.query_id if rng.random() < 0.9 else query_id
        return Answer(key=key, query_id=query_id, choice=Choice.UNDO, takes_back=undone.key)
    choice = rng.choice([c for c in Choice if c is not Choice.UNDO])
    return Answer(key=key, query_id=query_id, choice=choice)


@pytest.mark.parametrize("seed", [0, 1])
def test_random_sequence_agrees_with_a_slow_recount(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make, seed: int
) -> None:
    rng, ledger = random.Random(seed), Ledger()
    run_id = make_run()
    people = [make_annotator() for _ in range(3)]
    pairs = [make_query(run_id) for _ in range(5)]
    expired = make_query(run_id, status=QueryStatus.EXPIRED)
    for number in range(300):
        answer = _next_answer(rng, ledger, number, [*pairs, expired])
        near = ledger.by.get(answer.takes_back or "")
        annotator = near if near and rng.random() < 0.8 else rng.choice(people)
        expected = ledger.expect(annotator, answer, is_expired=answer.query_id == expired)
        assert record_answer(store.engine, run_id, annotator, answer).outcome is expected, (number, answer)
    with reading(store.engine) as connection:
        standing = answers.standing_answers(connection, run_id)
        counts, num_late = answers.count_standing(connection, run_id), answers.count_late(connection, run_id)
        status = {q: queries.get_query(connection, q)["status"] for q in [*pairs, expired]}
        per_query = {q: answers.count_standing_of_query(connection, q) for q in status}
        rows = connection.scalar(sa.select(sa.func.count()).select_from(schema.answers))
    assert {(r["query_id"], r["annotator_id"]): (r["key"], r["choice"]) for r in standing} == ledger.standing
    assert [row["key"] for row in standing] == sorted(row["key"] for row in standing)
    taught = [choice for (query_id, _), (_, choice) in ledger.standing.items() if query_id != expired]
    assert counts == dict(collections.Counter(taught))
    assert num_late == len(ledger.standing) - len(taught)
    assert per_query == {q: sum(place[0] == q for place in ledger.standing) for q in status}
    assert {q: s is QueryStatus.ANSWERED for q, s in status.items() if q != expired} == {
        q: per_query[q] > 0 for q in pairs
    }
    assert status[expired] is QueryStatus.EXPIRED
    assert rows == len(ledger.sent)


@pytest.mark.parametrize("seed", [2, 3])
def test_counters_agree_with_the_rows_when_pairs_expire_between_answers(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make, seed: int
) -> None:
    rng, ledger = random.Random(seed), Ledger()
    run_id, people = make_run(), [make_annotator() for _ in range(3)]
    pairs = [make_query(run_id) for _ in range(5)]
    for number in range(200):
        answer = _next_answer(rng, ledger, number, pairs)
        annotator = ledger.by.get(answer.takes_back or "", rng.choice(people))
        ledger.expect(annotator, answer, is_expired=False)
        record_answer(store.engine, run_id, annotator, answer)
        with writing(store.engine) as connection:
            if rng.random() < 0.1:
                status = rng.choice([QueryStatus.EXPIRED, QueryStatus.READY])
                queries.set_status(connection, rng.choice(pairs), status)
            standing = answers.standing_answers(connection, run_id)
            counts = answers.count_standing(connection, run_id)
            num_late = answers.count_late(connection, run_id)
        recount = collections.Counter(row["choice"] for row in standing if not row["is_late"])
        assert counts == dict(recount), number
        assert num_late == sum(row["is_late"] for row in standing), number


def test_refused_and_repeated_answers_are_not_counted(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make
) -> None:
    run_id, other, person = make_run(), make_run(), make_annotator()
    query_id = make_query(run_id)
    answer = Answer(key="key-0001", query_id=query_id, choice=Choice.EQUAL)
    for target in (run_id, run_id, other):
        record_answer(store.engine, target, person, answer)
    undo = Answer(key="key-0002", query_id=query_id, choice=Choice.UNDO, takes_back="key-none")
    record_answer(store.engine, run_id, person, undo)
    with reading(store.engine) as connection:
        assert answers.count_standing(connection, run_id) == {Choice.EQUAL: 1}
        assert answers.count_standing(connection, other) == {}


ACKNOWLEDGE = """
import sys
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage.engine import open_engine
from rlhf.types.feedback import Choice
url, run_id, annotator, query_id = sys.argv[1:]
engine = open_engine(url)
number = 0
while True:
    number += 1
    answer = Answer(key=f"key-{number:06}", query_id=query_id, choice=Choice.LEFT)
    receipt = record_answer(engine, run_id, annotator, answer)
    print(receipt.key, receipt.outcome.value, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 20, 61])
def test_acknowledged_answers_survive_a_kill(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make, lines: int
) -> None:
    url, run_id = store.settings.database_url, make_run()
    process = subprocess.Popen(
        [sys.executable, "-c", ACKNOWLEDGE, url, run_id, make_annotator(), make_query(run_id)],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    # The last line may have been cut short by the kill; it counts only when it is whole.
    acknowledged += [
        line for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")
    ]
    engine = open_engine(url)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        stored = set(connection.scalars(sa.select(schema.answers.c.key)))
        standing = answers.count_standing(connection, run_id)
    engine.dispose()
    assert {line.split()[1] for line in acknowledged} == {"saved"}
    assert {line.split()[0] for line in acknowledged} <= stored
    assert standing == {Choice.LEFT: 1}
