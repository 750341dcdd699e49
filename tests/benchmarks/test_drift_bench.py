import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import drift
from rlhf.cli.main import main


def report(alarms: list[int], returns: list[float]) -> dict[str, Any]:
    curve = [{"steps": 100 * (at + 1), "true_return": value} for at, value in enumerate(returns)]
    return {"world_alarms": alarms, "curve": curve}


def test_each_run_is_made_once_and_the_table_says_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    asked: list[list[str]] = []

    def simulate(arguments: list[str]) -> dict[str, Any]:
        asked.append(arguments)
        steps = int(arguments[arguments.index("--steps") + 1])
        curve = [{"steps": steps * (at + 1) // 10, "true_return": float(at)} for at in range(10)]
        return {"world_alarms": [], "curve": curve}

    monkeypatch.setattr(drift, "verb_report", simulate)  # which is tested, and takes a minute here
    arguments = ["bench", "drift", "--tasks", "cartpole-balance", "--quick", "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert main(arguments) == 0
    assert "cartpole-balance" in capsys.readouterr().out
    assert len(asked) == 2 * len(drift.ARMS)
    assert sum("--change" in arguments for arguments in asked) == 4
    assert len(list((tmp_path / "data/benchmarks/drift").iterdir())) == 2 * len(drift.ARMS)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["tasks"]["cartpole-balance"]["seeds"] == 2
    ET.parse(tmp_path / "out/plot.svg")


def test_a_warning_before_the_change_is_a_false_one_and_the_first_after_it_has_a_delay() -> None:
    found = drift.read(report([300, 550, 700], [1, 1, 1, 2, 2, 9, 9, 9, 5, 5]), 500, 1000)
    assert (found["false_alarms"], found["alarms_after"], found["delay"]) == (1, 2, 50)
    assert (found["before"], found["after"], found["end"]) == (5 / 3, 37 / 5, 19 / 3)
    assert drift.read(report([], [1.0] * 10), 500, 1000)["delay"] is None


def test_gains_are_taken_within_a_seed_and_worlds_that_stay_must_not_be_suspected() -> None:
    rows = []
    for seed in range(3):
        for arm, end in (("stays", 9.0), ("alone", float(seed)), ("adapts", seed + 2.0)):
            alarms = {"stays": [900] if seed == 0 else [], "alone": [600], "adapts": [600]}[arm]
            rows.append({"arm": arm, "seed": seed, **drift.read(report(alarms, [end] * 10), 500, 1000)})
    found = drift.summarise(rows)
    assert found["false_alarms"] == 1
    assert (found["noticed"], found["delay"]) == (3, {"mean": 100.0, "most": 100})
    assert found["gain_end"] == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert len(drift.text_rows({"tasks": {"x": found}})[1]) == len(drift.text_rows({"tasks": {}})[0])
