import json
from pathlib import Path

import pytest

from rlhf.cli.main import main

TINY = ["--steps", "512", "--source-steps", "512", "--set", "target.q.hidden=8,8,8", "target.curve_points=1"]


def test_it_learns_both_tasks_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    pair = ["--source", "cartpole-balance", "--target", "cartpole-balance+gravity=20"]
    assert main(["transfer", *pair, "--update", "head", *TINY, "--json", str(path)]) == 0
    assert "kept" in capsys.readouterr().out
    found = json.loads(path.read_text())
    assert (found["source"], found["task"], found["steps"]) == (*pair[1::2], 512)
    assert found["arms"].keys() == {"guarded"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "cartpole-balance", "--target", "cartpole-balance+wind=3"], "is not a change"),
        (["--source", "cartpole-balance", "--target", "acrobot-swingup", "--steps", "0"], "total_steps"),
        (["--source", "cart", "--target", "acrobot-swingup"], "no task 'cart'"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transfer", *arguments]) == 2
    assert said in capsys.readouterr().err
