"""The crowd in small: what it prints and leaves behind, and that it would notice what must not happen."""

import argparse
import json
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from rlhf.benchmarks import crowd
from rlhf.benchmarks.crowd_store import judge
from rlhf.cli.main import main
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage.engine import writing
from rlhf.storage.schema import queries
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


def test_a_small_crowd_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "crowd", "--quick", "--out", str(tmp_path)]) == 0
    assert "acknowledged after" in capsys.readouterr().out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["answers"] >= summary["people"] == 5
    faults = ("unacknowledged", "refused", "lost", "doubled", "beyond_overlap")
    assert {name: summary[name] for name in faults} == dict.fromkeys(faults, 0)
    assert 0 < summary["acknowledgement_ms"]["median"] <= summary["acknowledgement_ms"]["p95"]
    assert len((tmp_path / "measurements.csv").read_text().splitlines()) == 6
    ET.parse(tmp_path / "plot.svg")


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


def give(store: Store, run_id: str, query_id: str, annotator: str) -> str:
    key = uuid.uuid4().hex
    record_answer(store.engine, run_id, annotator, Answer(key=key, query_id=query_id, choice=Choice.LEFT))
    return key


def test_an_answer_that_is_not_stored_is_lost(
    store: Store, run_id: str, make_query: Make, make_annotator: Make
) -> None:
    kept = give(store, run_id, make_query(run_id), make_annotator())
    assert judge(store.engine, run_id, [kept, "another"])["lost"] == 1


def test_an_answer_that_nobody_sent_is_doubled(
    store: Store, run_id: str, make_query: Make, make_annotator: Make
) -> None:
    kept = give(store, run_id, make_query(run_id), make_annotator())
    give(store, run_id, make_query(run_id), make_annotator())
    assert judge(store.engine, run_id, [kept])["doubled"] == 1


@pytest.mark.parametrize(("wanted", "beyond"), [(1, 1), (2, 0)])
def test_a_second_answer_counts_unless_it_was_planned(
    store: Store, run_id: str, make_query: Make, make_annotator: Make, wanted: int, beyond: int
) -> None:
    query_id = make_query(run_id)
    with writing(store.engine) as connection:
        connection.execute(queries.update().values(wanted_answers=wanted))
    sent = [give(store, run_id, query_id, make_annotator()) for _ in range(2)]
    found = judge(store.engine, run_id, sent)
    assert (found["beyond_overlap"], found["answered_by_two"]) == (beyond, 1)


@pytest.mark.parametrize(("wait_ms", "outcome", "is_met"), [(10.0, "saved", True), (400.0, "saved", False)])
def test_the_bar_is_judged(wait_ms: float, outcome: str, is_met: bool) -> None:
    options = argparse.Namespace(people=1, seconds=1.0, every=1.0, overlap=0.0, seed=0)
    tally = crowd.Tally(sent=["a"], acknowledged=["a"], waits_ms=[wait_ms], outcomes=[outcome])
    memory = {"before": None, "sessions_open": None, "after": None}
    found = {"lost": 0, "doubled": 0, "beyond_overlap": 0, "planned_overlap": 0, "answered_by_two": 0}
    summary = crowd.summarise(options, [tally], memory, None, found)
    assert crowd.is_met(summary) is is_met
    assert not crowd.is_met(summary | {"lost": 1})


@pytest.mark.parametrize(
    "wrong", [["--people", "0"], ["--seconds", "0"], ["--every", "-1"], ["--overlap", "2"]]
)
def test_options_that_make_no_sense_are_refused(wrong: list[str], tmp_path: Path) -> None:
    assert main(["bench", "crowd", *wrong, "--out", str(tmp_path)]) == 2
