import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import foresight
from rlhf.cli.main import main


def runs(success: list[float], alone: list[float], **more: Any) -> list[dict[str, Any]]:
    pairs = enumerate(zip(success, alone, strict=True))
    return [{"seed": seed, "success": s, "alone": a, "overruled": 0.1, **more} for seed, (s, a) in pairs]


def test_each_run_measures_early_late_and_after_the_change_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    arguments = ["bench", "foresight", "--tasks", "four-rooms", "--quick", "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert main(arguments) == 0
    assert "then wind=0.3" in capsys.readouterr().out
    assert len(list((tmp_path / "data/benchmarks/foresight").iterdir())) == 4
    situations = json.loads((tmp_path / "out/summary.json").read_text())["situations"]
    assert len(situations) == 2 * 2 + 1
    assert all(found["seeds"] == 2 for found in situations.values())
    ET.parse(tmp_path / "out/plot.svg")


def test_a_gain_that_could_be_none_is_none() -> None:
    alone = [0.2, 0.3, 0.4, 0.5]
    for difference, verdict in ((0.2, "gain"), (-0.2, "loss"), (0.0, "no gain")):
        found = foresight.summarise(runs([a + difference for a in alone], alone, asked=True))
        assert found["verdict"] == verdict
        assert found["passed"] is (verdict == "gain")


def test_a_gain_that_is_too_small_is_not_what_was_asked_for() -> None:
    found = foresight.summarise(runs([0.35] * 4, [0.3] * 4, asked=True))
    assert (found["verdict"], found["passed"]) == ("gain", False)


@pytest.mark.parametrize(("success", "passed"), [(0.8, True), (0.7, False)])
def test_half_of_the_drop_is_to_go_each_from_its_own_height(success: float, passed: bool) -> None:
    before = {"success_before": 0.95, "alone_before": 0.9}
    found = foresight.summarise(runs([success] * 4, [0.5] * 4, asked=False, **before))
    assert found["drops"] == {"with foresight": pytest.approx(0.95 - success), "without": pytest.approx(0.4)}
    assert found["passed"] is passed
