"""Planted people behave as planted, and a small benchmark of them runs through."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.benchmarks import people
from rlhf.benchmarks.people import CROWDS, Planted, measure
from rlhf.cli.main import main
from rlhf.types.feedback import Choice


@pytest.mark.parametrize("person", [one for crowd in CROWDS.values() for one in crowd], ids=lambda p: p.name)
def test_planted_people_are_right_as_often_as_they_say(person: Planted) -> None:
    rng = np.random.default_rng(0)
    right = []
    for left_is_better in rng.random(4000) < 0.5:
        choice = person.answer(bool(left_is_better), rng)
        right.append((choice is Choice.LEFT) == left_is_better)
    assert abs(np.mean(right) - person.right_share) < 0.03


def test_a_side_is_pressed_without_a_look() -> None:
    rng = np.random.default_rng(0)
    assert {Planted(name="left", left=1.0).answer(False, rng) for _ in range(20)} == {Choice.LEFT}
    assert {Planted(name="right", left=-1.0).answer(True, rng) for _ in range(20)} == {Choice.RIGHT}


@pytest.fixture
def found() -> dict[str, Any]:
    """A small measurement."""
    return measure("pendulum-swingup", "two bad", 0, 80, 1600)


def test_the_bad_ones_are_seen_through_and_the_results_are_written(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(found["order"][:3]) == {"careful 1", "careful 2", "careful 3"}
    assert any("Presses left" in remark for remark in found["remarks"]["always left"])
    assert 0.5 < found["known"] <= 1.0
    monkeypatch.setattr(people, "measure", lambda task, crowd, seed, *rest: found | {"crowd": crowd})
    assert main(["bench", "people", "--seeds", "1", "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "summary.json").read_text())
    assert [one["crowd"] for one in written["results"]] == 2 * list(CROWDS)
    assert (tmp_path / "plot.svg").exists()
