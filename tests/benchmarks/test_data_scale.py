"""The benchmark with few answers: that it asks what it says, not how fast."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sqlalchemy as sa

from rlhf.benchmarks import data_scale
from rlhf.cli.main import main
from rlhf.storage import answers, schema
from rlhf.storage.answer_search import AnswerFilter, AnswerStatus, count_answers
from rlhf.storage.engine import reading
from rlhf.ui.store import Store


def test_report_has_every_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["bench", "data-scale", "--answers", "400", "--repeats", "1", "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert "next pair" in capsys.readouterr().out
    assert summary["answers"] == 400
    assert {row["bar_ms"] for row in summary["questions"]} == {50.0, 1000.0}
    ET.parse(out / "plot.svg")


def test_made_up_answers_are_of_every_status_and_counted_right(store: Store) -> None:
    run_id = data_scale.fill(store.engine, 3000, 0, lambda *_: None)
    with reading(store.engine) as connection:
        numbers = {
            status: count_answers(connection, AnswerFilter(run_id=run_id, status=status))
            for status in AnswerStatus
        }
        rows = answers.standing_answers(connection, run_id)
        counts = answers.count_standing(connection, run_id)
        total = connection.scalar(
            sa.select(sa.func.count()).where(schema.answers.c.choice != "undo").select_from(schema.answers)
        )
    assert all(numbers.values())
    assert sum(numbers.values()) == total
    assert sum(counts.values()) == sum(not row["is_late"] for row in rows) == numbers[AnswerStatus.STANDING]
