import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.benchmarks import finetune
from rlhf.cli.main import main

ARMS = ("scratch", "random trunk", "whole", "partial", "guarded")
POINTS = 41
BAR = 80.0
GRAVITY, UNLIKE = "cartpole-balance>+gravity=20", "acrobot-swingup>cartpole-balance"


def report(seed: int, **reached_at: float) -> dict[str, Any]:
    """Return a run in which an arm's return rises from 0 to 100 at a share of the steps, at once."""
    arms = {}
    for arm in ARMS:
        start = reached_at.get(arm.replace(" ", "_"), 0.5)
        curve = [
            {"steps": 1000 * x, "true_return": 100.0 * (x >= start)} for x in np.linspace(0.0, 1.0, POINTS)
        ]
        arms[arm] = {
            "curve": curve,
            "true_return": 100.0,
            "trainable_share": 0.1,
            "source_return_after": 7.0,
            "kept": "transfer",
        }
    return {"seed": seed, "steps": 1000, "source_return": 7.0, "arms": arms}


def test_time_and_area_are_ratios_to_scratch() -> None:
    reports = [report(seed, partial=0.1, random_trunk=0.75) for seed in range(3)]
    found = finetune.summarise(reports, BAR)["arms"]
    assert found["partial"]["time_ratio"]["value"] == pytest.approx(0.2, abs=0.05)
    assert found["partial"]["area_ratio"]["value"] == pytest.approx(0.9 / 0.5, abs=0.1)
    assert found["random trunk"]["time_ratio"]["value"] == pytest.approx(1.5, abs=0.05)
    assert found["scratch"]["time_ratio"]["value"] == 1.0
    assert found["partial"]["end"]["value"] == pytest.approx(100 / BAR)
    assert found["partial"]["reached"] == 3


def test_an_arm_that_starts_where_scratch_ends_has_the_whole_jumpstart() -> None:
    found = finetune.summarise([report(seed, partial=0.0) for seed in range(3)], BAR)["arms"]["partial"]
    assert found["jumpstart"]["value"] == pytest.approx(100 / BAR)
    assert found["time_ratio"]["value"] == 0.0


def test_an_arm_that_never_gets_there_has_taken_all_the_time() -> None:
    found = finetune.summarise([report(seed, partial=2.0) for seed in range(3)], BAR)["arms"]["partial"]
    assert found["time_ratio"]["value"] == pytest.approx(2.0, abs=0.15)
    assert found["reached"] == 0


@pytest.mark.parametrize(("partial", "fast"), [(0.1, 1), (0.4, 0)])
def test_the_verdicts_count_fast_pairs_and_hold_the_guard_to_its_bar(partial: float, fast: int) -> None:
    pairs = {
        GRAVITY: finetune.summarise([report(0, partial=partial, random_trunk=0.9)], BAR),
        UNLIKE: finetune.summarise([report(0, guarded=partial + 0.2)], BAR),
    }
    found = finetune.verdicts(pairs)
    assert (found["same_shape"]["fast"], found["same_shape"]["random_trunk_worse"]) == (fast, 1)
    assert found["unlike"] == {UNLIKE: partial < 0.3}
    assert found["source_unchanged"]


def test_it_measures_by_the_real_verb_once_and_writes_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    asked = ["bench", "finetune", "--pairs", GRAVITY, "--quick", "--out", str(tmp_path / "out")]
    assert main([*asked, "--so-far"]) == 2
    assert "leave out --so-far" in capsys.readouterr().err
    assert main(asked) == 0
    kept = sorted((tmp_path / "data/benchmarks/finetune").iterdir())
    assert len(kept) == 4
    alone = {"scratch", "random trunk", "whole", "head", "no past", "partial"}
    arms_of = {path: set(json.loads(path.read_text())["measured"]["arms"]) for path in kept}
    first = next(path for path, arms in arms_of.items() if arms == alone)

    def so_far() -> dict[str, Any]:
        assert main([*asked, "--so-far"]) == 0
        found: dict[str, Any] = json.loads((tmp_path / "out/summary.json").read_text())["pairs"][GRAVITY]
        return found

    first.unlink()
    (tmp_path / "out/runs.jsonl").unlink()
    found = so_far()
    assert "1 of 4 runs are still missing" in capsys.readouterr().out
    assert (found["seeds"], found["arms"].keys()) == (1, alone | {"guarded"})
    for path in (path for path, arms in arms_of.items() if arms == {"guarded"}):
        path.unlink()
    (tmp_path / "out/runs.jsonl").unlink()
    found = so_far()
    assert (found["seeds"], found["arms"].keys()) == (1, alone)
    assert found["arms"]["partial"]["source_change"] == 0
    ET.parse(tmp_path / "out/plot.svg")
