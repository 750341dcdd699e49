"""The benchmarks with tiny budgets: what they print and leave behind, not how fast anything is."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from rlhf.benchmarks import ppo_speed, ppo_strength
from rlhf.cli.main import main
from rlhf.errors import ConfigError


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "out"


def test_speed_is_measured_without_peers_and_says_what_is_missing(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "ppo-speed", "--envs", "CartPole-v1", "--rounds", "1", "--steps", "2048"]
    assert main([*arguments, "--warm-up", "2048", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    sides = summary["environments"]["CartPole-v1"]
    if sides.keys() != {"ours", "sb3", "sbx", "raw"}:
        assert "Left out" in said
        assert "rlhf/benchmarks/requirements.txt" in said
    assert sides["ours"]["steps_per_second"] > 0
    assert 0 < sides["raw"]["ours_is_times_as_fast"]["median"] < 1
    assert sides["ours"]["mean_return"]["iqm"] >= 8.0
    assert len((out / "measurements.csv").read_text().splitlines()) == 1 + len(sides)
    ET.parse(out / "plot.svg")


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which the machine was half as fast for all changes no ratio."""
    rates = [("ours", 0, 800.0), ("sb3", 0, 100.0), ("ours", 1, 400.0), ("sb3", 1, 50.0)]
    rows = [
        {
            "env": "E",
            "round": number,
            "side": side,
            "steps_per_second": rate,
            "peak_rss_mb": 100.0,
            "mean_return": None,
        }
        for side, number, rate in rates
    ]
    summary = ppo_speed.summarise(rows, "E", ["ours", "sb3"])
    assert summary["sb3"]["ours_is_times_as_fast"] == {"median": 8.0, "min": 8.0, "max": 8.0}
    assert summary["ours"]["mean_return"] is None


def test_an_interpreter_that_is_none_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ppo-speed", "--peers", "/no/such/python", "--out", str(out)]) == 2
    assert "/no/such/python" in capsys.readouterr().err


def test_strength_trains_every_seed_once(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "ppo-strength", "--envs", "CartPole-v1", "--seeds", "2", "--steps", "4096"]
    for jobs in ("2", "1"):  # the second time nothing is left to train
        assert main([*arguments, "--jobs", jobs, "--out", str(out)]) == 0
    assert "published after 100,000" in capsys.readouterr().out
    found = json.loads((out / "summary.json").read_text())["environments"]["CartPole-v1"]
    assert found["low"] <= found["iqm"] <= found["high"]
    assert (found["seeds"], found["short_by"]) == (2, None)
    assert len(list((out.parent / "data/benchmarks/ppo-strength").iterdir())) == 2
    ET.parse(out / "plot.svg")


def test_a_change_meets_the_presets_on_the_same_seeds(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "ppo-ablation", "--quick", "--seeds", "2", "--envs", "CartPole-v1"]
    assert main([*arguments, "--changes", "half the epochs", "--out", str(out)]) == 0
    assert "half the epochs" in capsys.readouterr().out
    found = json.loads((out / "summary.json").read_text())["changes"]
    assert found["presets"]["difference"] == 0.0
    half = found["half the epochs"]
    assert half["low"] <= half["difference"] <= half["high"] < 0.0
    ET.parse(out / "plot.svg")


def test_an_ablation_is_kept_apart_from_the_presets(out: Path) -> None:
    keys = [ppo_strength.run_key("CartPole-v1", 4096, 0, changed) for changed in ([], ["ppo.num_epochs=2"])]
    assert [key["config"]["ppo"]["num_epochs"] for key in keys] == [10, 2]
    with pytest.raises(ConfigError, match="num_epoch"):
        ppo_strength.run_key("CartPole-v1", 4096, 0, ["ppo.num_epoch=2"])


def report(score: float, random: float) -> dict[str, object]:
    return {"true_return": {"mean": score}, "random_return": random, "curve": []}


@pytest.mark.parametrize(("score", "short_by"), [(450.0, 50.0), (500.0, 0.0)])
def test_how_far_a_score_falls_short(score: float, short_by: float) -> None:
    found = ppo_strength.summarise("CartPole-v1", 100_000, [report(score, 20.0)] * 5)
    assert found["short_by"] == short_by


def test_share_of_published_scores_counts_from_the_random_policy() -> None:
    reports = {"CartPole-v1": [report(260.0, 20.0)] * 4, "Acrobot-v1": [report(-74.0, -500.0)] * 4}
    whole = ppo_strength.aggregate(reports)
    assert whole is not None
    np.testing.assert_allclose([whole["iqm"], whole["low"], whole["high"]], 0.75)


def test_an_environment_without_a_score_needs_a_length(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ppo-strength", "--envs", "Ant-v5", "--out", str(out)]) == 2
    assert "--steps" in capsys.readouterr().err
