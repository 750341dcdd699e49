"""The bench of shown episodes, on real short runs."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import demonstrations
from rlhf.cli.main import main


def _row(arm: str, seed: int, true_return: float) -> dict[str, Any]:
    return {"task": "a", "arm": arm, "seed": seed, "true_return": true_return}


def test_every_arm_is_compared_with_answers_alone_within_its_seed() -> None:
    rows = [_row("100 answers", seed, 100.0 * seed) for seed in range(4)]
    rows += [_row("5 episodes, 50 answers", seed, 100.0 * seed + 7.0) for seed in reversed(range(4))]
    alone, shown = demonstrations.summarise(rows)
    assert alone["gain"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert shown["gain"] == {"mean": 7.0, "low": 7.0, "high": 7.0}
    assert shown["true_return"] == 157.0
    header, *lines = demonstrations.text_rows({"tasks": [alone, shown]})
    assert [len(line) for line in lines] == [len(header)] * 2


def test_short_runs_are_made_of_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(demonstrations, "TASKS", {"cartpole-balance": 3_000})
    arms = {
        "12 answers": demonstrations.Arm(answers=12),
        "1 episode, 8 answers": demonstrations.Arm(answers=8, episodes=1, is_cloned=True),
    }
    monkeypatch.setattr(demonstrations, "ARMS", arms)
    monkeypatch.setattr(demonstrations, "_ALONE", "12 answers")
    assert main(["bench", "demonstrations", "--seeds", "1", "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "measurements.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["answers"]) for row in rows] == [
        ("12 answers", "12"),
        ("1 episode, 8 answers", "8"),
    ]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["tasks"][1]["seeds"] == 1
    assert (tmp_path / "out" / "plot.svg").read_text(encoding="utf-8").startswith("<svg")
