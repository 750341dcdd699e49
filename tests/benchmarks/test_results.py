import json
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import results


def test_a_measurement_is_made_once_per_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path))
    made: list[int] = []

    def measure() -> dict[str, Any]:
        made.append(len(made))
        return {"value": len(made)}

    keys = [{"seed": 0}, {"seed": 1}, {"seed": 0}]
    assert [results.measured_once("x", key, measure)["value"] for key in keys] == [1, 2, 1]


def test_results_hold_a_table_a_plot_and_what_is_needed_to_repeat_them(tmp_path: Path) -> None:
    rows = [{"env": "A", "rate": 1.5}, {"env": "B", "rate": None}]
    results.write_results(tmp_path / "out", rows, "<svg/>", {"command": "python -m rlhf bench x"})
    assert (tmp_path / "out/measurements.csv").read_text() == "env,rate\nA,1.5\nB,\n"
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary.keys() == {"command", "hardware", "versions"}
    assert summary["hardware"]["cores"] >= 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "measurements.csv",
        "plot.svg",
        "summary.json",
    ]


def test_comments_do_not_change_the_digest_of_the_code_but_code_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rlhf" / "seeding.py"
    file.parent.mkdir()
    monkeypatch.setattr(results, "PROJECT_ROOT", tmp_path)
    digests = []
    for text in (
        'def f():\n    """One."""\n    return 1\n',
        "def f():\n    return 1  # one\n",
        "def f():\n    return 2\n",
    ):
        file.write_text(text)
        digests.append(results.source_digest(("seeding.py",)))
    assert digests[0] == digests[1] != digests[2]
