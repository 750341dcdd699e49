"""``python -m rlhf design``: write a reward down, look at it, take it back."""

import json
from pathlib import Path
from typing import Any

import pytest

from rlhf.cli.main import main
from rlhf.loop.start_run import new_run
from rlhf.storage import designs
from rlhf.storage.engine import reading
from rlhf.types.design import Design, Potential, Term
from rlhf.ui.store import Store


@pytest.fixture
def run_id(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    return new_run(store.engine, "hopper-run")


def asked(arguments: list[str], path: Path) -> dict[str, Any]:
    assert main(["design", *arguments, "--json", str(path)]) == 0
    return dict(json.loads(path.read_text()))


def test_a_design_is_written_shown_and_taken_back(
    store: Store, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "design.json"
    words = ["--set", "forward velocity=1", "height=-0.3", "--sure", "0.8", "--potential", "height=2@1.2"]
    wanted = Design(
        terms=(
            Term(feature="forward velocity", weight=1.0, sure=0.8),
            Term(feature="height", weight=-0.3, sure=0.8),
        ),
        potential=Potential(feature="height", weight=2.0, target=1.2),
    )
    assert Design.from_dict(asked([run_id, *words], path)["design"]) == wanted
    shown = asked([run_id], path)
    assert Design.from_dict(shown["design"]) == wanted
    assert shown["features"]["forward velocity"] == "m/s"
    assert "forward velocity +1 (80% sure)" in capsys.readouterr().out
    assert Design.from_dict(asked([run_id, "--clear"], path)["design"]) == Design()
    with reading(store.engine) as connection:
        assert [row["by"] for row in designs.list_designs(connection, run_id)] == ["studio", "studio"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "height"], "must look like"),
        (["--set", "height=tall"], "'tall' is no number"),
        (["--set", "speed of light=1"], "no feature 'speed of light'"),
        (["--set", "height=1", "--sure", "2"], "must lie between 0.05 and 0.95"),
        (["--set", "height=1", "--clear"], "leave out --set"),
        (["--potential", "absorbing=1"], "no feature 'absorbing'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    store: Store, run_id: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", run_id, *arguments]) == 2
    assert says in capsys.readouterr().err
    with reading(store.engine) as connection:
        assert designs.list_designs(connection, run_id) == []
