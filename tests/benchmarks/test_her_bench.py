import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import her
from rlhf.cli.main import main


def report(seed: int, success: float) -> dict[str, Any]:
    point = {"episodes": 100, "steps": 900, "success": success}
    return {"seed": seed, "random_success": 0.01, "curve": [point], **point}


def test_both_arms_meet_the_same_seeds_and_nothing_is_trained_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    arguments = ["bench", "her", "--tasks", "bitflip-15", "--quick", "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "with hindsight" in said
    assert "not reached" in said  # so few episodes teach nothing
    kept = [json.loads(path.read_text()) for path in (tmp_path / "data/benchmarks/her").iterdir()]
    runs = {(one["key"]["seed"], tuple(one["key"]["settings"])) for one in kept}
    assert runs == {(seed, arm) for seed in (0, 1) for arm in her.ARMS.values()}
    assert len(kept) == 4
    assert json.loads((tmp_path / "out/summary.json").read_text())["tasks"]["bitflip-15"]["seeds"] == 2
    ET.parse(tmp_path / "out/plot.svg")


@pytest.mark.parametrize(
    ("helped", "alone", "passed"), [(0.95, 0.05, True), (0.85, 0.05, False), (0.95, 0.2, False)]
)
def test_it_says_whether_both_bars_are_met(helped: float, alone: float, passed: bool) -> None:
    arms = {
        "with hindsight": [report(seed, helped) for seed in range(4)],
        "without": [report(seed, alone) for seed in range(4)],
    }
    found = her.summarise("bitflip-15", arms)
    assert found["passed"] is passed
    assert found["difference"]["low"] == pytest.approx(helped - alone)


def test_a_task_without_bars_has_no_verdict() -> None:
    arms = {arm: [report(0, 0.5)] for arm in her.ARMS}
    assert her.summarise("car-park", arms)["passed"] is None


def test_the_difference_is_taken_within_a_seed() -> None:
    alone = [0.1, 0.3, 0.5, 0.7]
    arms = {
        "with hindsight": [report(seed, one + 0.2) for seed, one in enumerate(alone)],
        "without": [report(seed, one) for seed, one in enumerate(alone)],
    }
    found = her.summarise("four-rooms", arms)["difference"]
    assert (found["low"], found["high"]) == (pytest.approx(0.2), pytest.approx(0.2))
