import json
from pathlib import Path

import pytest

from rlhf.cli.main import main
from rlhf.types.ranked_source import RankedSource


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))


def test_an_empty_store_has_no_sources(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert main(["sources", "--target", "cartpole-balance", "--json", str(report)]) == 0
    assert json.loads(report.read_text()) == {"target": "cartpole-balance", "sources": []}


@pytest.mark.parametrize("options", [[], ["--ways-of", "one:3", "--short-arm", "10"]])
def test_who_is_recommended_is_first_and_the_steps_that_were_made_are_told(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = RankedSource(run_id=None, version=0, task="a", num_parameters=9, short_arm=0.5, steps=8192)
    better = RankedSource(run_id="one", version=3, task="a", num_parameters=9, short_arm=0.6, steps=8192)
    monkeypatch.setattr("rlhf.loop.rank_sources.rank_sources", lambda *args, **named: [scratch, better])
    assert main(["sources", "--target", "cartpole-balance", *options]) == 0
    printed = capsys.readouterr().out
    first = next(line for line in printed.splitlines() if "8,192" in line)
    assert "from scratch" in first
    assert "None of these is clearly better than a policy from scratch" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "nothing"], "nothing"),
        (["--target", "cartpole-balance", "--episodes", "0"], "episodes is 0"),
        (["--target", "cartpole-balance", "--reward", "one"], "RUN:VERSION"),
        (["--target", "cartpole-balance", "--reward", "one:1"], "one"),
    ],
)
def test_wrong_usage_is_said_in_a_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sources", *options]) == 2
    assert message in capsys.readouterr().err
