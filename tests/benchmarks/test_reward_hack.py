import json
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks.reward_hack import fallen_at, is_as_wanted, notes
from rlhf.cli.main import main

RANDOM, GOOD, BAD = 0.0, 100.0, 70.0


def curve(*returns: float) -> list[dict[str, Any]]:
    return [{"steps": 10 * (index + 1), "true_return": value} for index, value in enumerate(returns)]


def found(**changes: Any) -> dict[str, Any]:
    return {"planted": True, "turned_at": 50, "fallen_at": 90, "alarms": [{"steps": 70}]} | changes


def test_a_fall_begins_with_the_first_of_five_low_points() -> None:
    assert fallen_at(curve(GOOD, GOOD, GOOD, *[BAD] * 5), RANDOM, after=20) == 40


@pytest.mark.parametrize(
    "returns",
    [(BAD, GOOD, BAD, GOOD, BAD, GOOD), (85.0,) * 8, (BAD, 60.0, BAD, 60.0, BAD, 60.0, BAD)],
    ids=["unlucky points", "less than a fifth", "never better"],
)
def test_noise_is_no_fall(returns: tuple[float, ...]) -> None:
    assert fallen_at(curve(*returns), RANDOM, after=0) is None


def test_nothing_falls_before_the_teacher_turns_careless() -> None:
    lost_and_found_again = curve(GOOD, GOOD, GOOD, *[BAD] * 5, *[GOOD] * 6)
    assert fallen_at(lost_and_found_again, RANDOM, after=80) is None
    assert fallen_at(lost_and_found_again, RANDOM, after=None) is None


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"alarms": [{"steps": 100}]}, False),
        ({"alarms": []}, False),
        ({"alarms": [{"steps": 40}, {"steps": 70}]}, False),
        ({"alarms": [], "fallen_at": None}, True),
        ({"planted": False, "turned_at": None, "fallen_at": None}, False),
        ({"planted": False, "turned_at": None, "fallen_at": None, "alarms": []}, True),
    ],
    ids=["in time", "late", "never", "too early", "no harm", "false alarm", "healthy"],
)
def test_what_is_wanted(changes: dict[str, Any], wanted: bool) -> None:
    assert is_as_wanted(found(**changes)) is wanted


def test_hacks_without_harm_are_not_counted_as_noticed() -> None:
    text = notes([found(), found(fallen_at=None, alarms=[]), found(planted=False, turned_at=None, alarms=[])])
    assert text.startswith("1 of 2 planted hacks")
    assert "1 of them" in text
    assert "1 of 1 healthy" in text


def test_a_run_of_each_kind_is_made_once_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("rlhf.benchmarks.reward_hack.HACKS", _short_hacks())
    hack = "spinning one way"
    arguments = ["bench", "reward-hack", "--hacks", hack, "--labels", "90", "--seeds", "1"]
    for _ in range(2):
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "planted hacks" in capsys.readouterr().out
    planted, healthy = json.loads((tmp_path / "out/summary.json").read_text())["results"]
    assert planted["turned_at"] is not None
    assert healthy["turned_at"] is None
    assert len(list((tmp_path / "data/benchmarks/reward-hack").iterdir())) == 2


def _short_hacks() -> dict[str, Any]:
    from rlhf.benchmarks.reward_hack import Hack

    return {"spinning one way": Hack(task="pendulum-swingup", feature=2, steps=20_000)}
