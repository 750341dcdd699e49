import json
from pathlib import Path

import pytest

from rlhf.cli.main import main


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))


def test_an_empty_store_has_no_sources(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert main(["sources", "--target", "cartpole-balance", "--json", str(report)]) == 0
    assert json.loads(report.read_text()) == {"target": "cartpole-balance", "sources": []}


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
