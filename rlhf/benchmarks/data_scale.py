"""``data-scale``: how long the pages take beside a million stored answers, and the next pair too.

Fills a database of its own, in a temporary folder, with made-up answers by several people: most stand, some
were undone, replaced or voided, some came late, a tenth have a comment. Then asks what the Data page asks,
with filters that find many, few and no answers, and leases pairs as a browser does between two answers.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.benchmarks.processes import Tell
from rlhf.benchmarks.results import RESULTS, write_results
from rlhf.benchmarks.svg import Panel, Series, dots
from rlhf.loop.void_answers import restore_answer, void_answers
from rlhf.storage import answer_changes, answers, queries, runs, schema
from rlhf.storage.answer_search import (
    AnswerFilter,
    AnswerStatus,
    count_answers,
    find_answers,
    get_answer,
    history,
    list_people,
)
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import migrate
from rlhf.types.feedback import ChangeKind, Choice, QueryKind
from rlhf.types.run import QueryStatus

NAME = "data-scale"
PAGE_BAR_MS = 1000.0
PAIR_BAR_MS = 50.0
_PAGE = 20
_JUDGED = 5000
_PEOPLE = 20
_SEGMENTS = 2000
_OPEN = 40
_VERSIONS = 200
_PORTION = 20_000
_PER_PANEL = 5
_START = 1.7e9
_WORDS = ("falls", "too slow", "smooth", "upright", "jitters", "good start", "odd gait")
_KINDS = (QueryKind.ACTIVE,) * 17 + (QueryKind.AUDIT,) * 2 + (QueryKind.CONTEST,)
_CHOICES = (Choice.LEFT,) * 9 + (Choice.RIGHT,) * 9 + (Choice.EQUAL, Choice.SKIP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--answers", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--repeats", type=int, default=20, help="times each question is asked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Fill, ask, write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and whether the bars are met.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/rlhf.db")
        migrate(engine)
        started = time.perf_counter()
        run_id = fill(engine, options.answers, options.seed, tell)
        filled_s = time.perf_counter() - started
        size_mb = (Path(folder) / "rlhf.db").stat().st_size / 2**20
        measured: list[dict[str, Any]] = [
            {"question": name, "bar_ms": bar} | _measure(ask, options.repeats)
            for name, bar, ask in questions(engine, run_id, options.answers)
        ]
        engine.dispose()
    summary = {
        "command": f"python -m rlhf bench {NAME} --answers {options.answers} --repeats {options.repeats}",
        "answers": options.answers,
        "filled_s": round(filled_s, 1),
        "database_mb": round(size_mb),
        "meets_bars": all(row["p95_ms"] <= row["bar_ms"] for row in measured),
        "questions": measured,
    }
    write_results(options.out, measured, _plot(measured, options.answers), summary)
    header = ["question", "p50 ms", "p95 ms", "processor p95 ms", "bar ms"]
    columns = ("p50_ms", "p95_ms", "processor_p95_ms", "bar_ms")
    rows = [[row["question"], *(f"{row[name]:.1f}" for name in columns)] for row in measured]
    word = "All" if summary["meets_bars"] else "Not all"
    return (
        summary,
        [header, *rows],
        f"{word} within the bars; {size_mb:,.0f} MiB, filled in {filled_s:.0f} s.",
    )


def questions(engine: sa.Engine, run_id: str, number: int) -> list[tuple[str, float, Callable[[], object]]]:
    """Return what is asked: its name, the bar in ms, and a function that asks."""
    with reading(engine) as connection:
        person = list_people(connection, run_id)[0][0]
        newest = answers.last_id(connection, run_id)
        key = find_answers(connection, AnswerFilter(run_id=run_id), limit=1)[0]["key"]

    def page(before: int | None = None, **wanted: Any) -> Callable[[], object]:
        found = AnswerFilter(run_id=run_id, **wanted)

        def ask() -> object:
            with reading(engine) as connection:
                rows = find_answers(connection, found, limit=_PAGE, before_id=before)
                return rows, count_answers(connection, found)

        return ask

    def one() -> object:
        with reading(engine) as connection:
            row = get_answer(connection, run_id, key)
            return row, history(connection, row["query_id"])

    def beside() -> object:
        with reading(engine) as connection:
            return list_people(connection, run_id), answer_changes.list_changes(connection, run_id, 20)

    def set_aside_and_back() -> object:
        with reading(engine) as connection:
            wanted = AnswerFilter(run_id=run_id, status=AnswerStatus.STANDING)
            row = find_answers(connection, wanted, limit=1)[0]
        only = AnswerFilter(run_id=run_id, answer_id=row["id"])
        void_answers(engine, only, by="somebody", reason="measured")
        return restore_answer(engine, run_id, row["key"], by="somebody")

    def latest() -> object:
        with reading(engine) as connection:
            return answers.standing_answers(connection, run_id, newest=_JUDGED)

    def next_pair() -> object:
        return _next_pair(engine, run_id, person)

    standing = AnswerStatus.STANDING
    bar = PAGE_BAR_MS
    return [
        ("newest", bar, page()),
        ("newest that stand", bar, page(status=standing)),
        ("half way back", bar, page(newest // 2, status=standing)),
        ("voided", bar, page(status=AnswerStatus.VOIDED)),
        ("undone", bar, page(status=AnswerStatus.UNDONE)),
        ("replaced", bar, page(status=AnswerStatus.REPLACED)),
        ("late", bar, page(status=AnswerStatus.LATE)),
        ("one person", bar, page(people=(person,), status=standing)),
        ("contests that were skipped", bar, page(kinds=(QueryKind.CONTEST,), choices=(Choice.SKIP,))),
        ("one reward version", bar, page(min_version=_VERSIONS // 2, max_version=_VERSIONS // 2)),
        ("the first hour", bar, page(until=_START + 3600.0)),
        ("nothing (a date before all)", bar, page(until=_START - 1.0, status=standing)),
        ("with a comment", bar, page(has_reason=True, status=standing)),
        ("a word in comments", bar, page(text="odd gait")),
        ("a word in no comment", bar, page(text="no such word", status=standing)),
        ("one answer with its history", bar, one),
        ("people and log", bar, beside),
        ("void one and restore it", bar, set_aside_and_back),
        ("reward model page", bar, latest),
        ("next pair, and how the run stands", PAIR_BAR_MS, next_pair),
    ]


def _next_pair(engine: sa.Engine, run_id: str, person: str) -> object:
    """Ask what the server asks between two answers."""
    with writing(engine) as connection:
        pairs = queries.lease_ready(connection, run_id, person, 6)
    with reading(engine) as connection:
        return (
            pairs,
            runs.get_run(connection, run_id),
            queries.count_by_status(connection, run_id, (QueryStatus.READY,)),
            answers.count_standing(connection, run_id),
        )


def fill(engine: sa.Engine, number: int, seed: int, tell: Tell) -> str:
    """Add a run with ``number`` answers, each to a pair of its own, and some pairs that wait; return its id.

    Segments are shared by many pairs and have no arrays: nothing here looks at them.
    """
    rng = random.Random(seed)
    with writing(engine) as connection:
        run_id = runs.insert_run(
            connection, task="made-up", goal="Be counted", seed=0, teacher=None, overrides={}, total_steps=1
        )
        people = [
            answers.insert_annotator(connection, f"Person {i}", is_teacher=False) for i in range(_PEOPLE)
        ]
        change_id = answer_changes.insert_change(
            connection, run_id, ChangeKind.VOID, by=people[0], reason="made up"
        )
        connection.execute(schema.segments.insert(), [_segment(run_id, i) for i in range(_SEGMENTS)])
        waiting = [_query(run_id, number + i, rng, QueryStatus.READY) for i in range(_OPEN)]
        connection.execute(schema.queries.insert(), waiting)
    for first in range(0, number, _PORTION):
        with writing(engine) as connection:
            asked: list[dict[str, Any]] = []
            given: list[dict[str, Any]] = []
            for index in range(first, min(number, first + _PORTION)):
                asked.append(_query(run_id, index, rng, QueryStatus.ANSWERED))
                given += _rows(asked[-1], index, rng, people, change_id)
            connection.execute(schema.queries.insert(), asked)
            connection.execute(schema.answers.insert(), given)
        tell(min(number, first + _PORTION), number, "answers stored")
    with writing(engine) as connection:
        answers.recount(connection, run_id)
    return run_id


def _segment(run_id: str, index: int) -> dict[str, Any]:
    return {
        "id": f"{index:032x}",
        "run_id": run_id,
        "arrays": "none",
        "policy_version": 1,
        "created_at": _START,
        "clip_fps": 20.0,
        "clip_frames": 50,
    }


def _query(run_id: str, index: int, rng: random.Random, status: QueryStatus) -> dict[str, Any]:
    return {
        "id": f"{index:032x}",
        "run_id": run_id,
        "left_id": f"{rng.randrange(_SEGMENTS):032x}",
        "right_id": f"{rng.randrange(_SEGMENTS):032x}",
        "kind": rng.choice(_KINDS),
        "status": status,
        "predicted": rng.random(),
        "policy_version": 1,
        "reward_version": rng.randrange(_VERSIONS),
        "created_at": _START + index,
    }


def _rows(
    query: dict[str, Any], index: int, rng: random.Random, people: list[str], change_id: str
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one pair: an answer, and now and then what superseded it."""
    fate = rng.random()
    details = {"comment": rng.choice(_WORDS), "loops": 2} if rng.random() < 0.1 else {"loops": 1}
    answer = {
        "id": 2 * index + 1,
        "run_id": query["run_id"],
        "query_id": query["id"],
        "annotator_id": rng.choice(people),
        "key": f"answer-{index:09}",
        "choice": rng.choice(_CHOICES),
        "left_id": query["left_id"],
        "right_id": query["right_id"],
        "supersedes": None,
        "is_late": 0.97 < fate < 0.98,
        "reward_version": query["reward_version"],
        "policy_version": 1,
        "shown_at": _START + index - 4.0,
        "answered_at": _START + index,
        "received_at": _START + index + 0.1,
        "details": details,
        "query_kind": query["kind"],
        "search_text": answers.searchable(details),
        "change_id": None,
    }
    yield answer
    if fate < 0.05:
        yield answer | {
            "id": 2 * index + 2,
            "key": f"change-{index:09}",
            "choice": Choice.UNDO if fate < 0.03 else Choice.EQUAL,
            "supersedes": 2 * index + 1,
            "details": {},
            "search_text": None,
            "change_id": change_id if fate < 0.01 else None,
        }


def _measure(ask: Callable[[], object], repeats: int) -> dict[str, float]:
    """Return percentiles of the time one asking takes, the first (cold) one left out."""
    ask()
    taken, worked = [], []
    for _ in range(repeats):
        started, began = time.perf_counter(), time.process_time()
        ask()
        taken.append(1000.0 * (time.perf_counter() - started))
        worked.append(1000.0 * (time.process_time() - began))
    p50, p95 = np.percentile(taken, [50, 95])
    return {
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "processor_p95_ms": round(float(np.percentile(worked, 95)), 2),
    }


def _plot(measured: list[dict[str, Any]], number: int) -> str:
    """Return an SVG with a dot at the median and a range to the 95th percentile of every question."""
    panels = []
    for first in range(0, len(measured), _PER_PANEL):
        part = measured[first : first + _PER_PANEL]
        series = [
            Series(
                name=row["question"], xs=[0], ys=[row["p50_ms"]], lows=[row["p50_ms"]], highs=[row["p95_ms"]]
            )
            for row in part
        ]
        panels.append(Panel(title=f"ms, beside {number:,} answers", series=series))
    return dots(panels)
