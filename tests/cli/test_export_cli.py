"""The verbs ``export`` and ``import``: files, exit status, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.cli.main import main
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import answers
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    run_id, person = make_run(), make_annotator()
    for index in range(3):
        answer = Answer(key=f"answer-{index}", query_id=make_query(run_id), choice=Choice.LEFT)
        record_answer(store.engine, run_id, person, answer)
    return run_id


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json", "-"]) == 0
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("name", ["answers", "answers.zip"])
def test_export_and_import_into_a_new_run(
    store: Store, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = str(tmp_path / name)
    assert said(capsys, "export", run_id, "--format", "jsonl", path)["files"] == [path]
    found = said(capsys, "import", "copy", "--format", "jsonl", path)
    assert (found["num_answers"], found["is_new_run"]) == (3, True)
    assert said(capsys, "import", "copy", "--format", "jsonl", path)["num_answers"] == 0
    with reading(store.engine) as connection:
        assert answers.count_standing(connection, "copy") == {Choice.LEFT: 3}
    assert said(capsys, "run", "show", "copy")["answers"] == 3


def test_csv_and_npz_are_written(run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv, npz = str(tmp_path / "a.csv"), str(tmp_path / "a.npz")
    said(capsys, "export", run_id, "--format", "csv", csv)
    files = said(capsys, "export", run_id, "--format", "npz", npz, "--with-true-rewards")["files"]
    assert files == [npz, str(tmp_path / "a-true-rewards.npz")]
    assert len(Path(csv).read_text().splitlines()) == 4
    with np.load(npz, allow_pickle=False) as found:
        assert found["pairs"].shape == (3, 2)
    with np.load(files[1], allow_pickle=False) as found:
        assert found["true_rewards"].shape == (6, 3)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--format", "csv", "--clips"), "--clips"),
        (("--format", "csv", "--with-true-rewards"), "--with-true-rewards"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], word: str
) -> None:
    assert main(["export", run_id, *options, str(tmp_path / "a.csv")]) == 2
    assert word in capsys.readouterr().err


def test_existing_file_is_kept_unless_forced(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    command = ["export", run_id, "--format", "csv", str(path)]
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize("what", ["run", "file"])
def test_what_is_not_there_is_said_in_one_line(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    if what == "run":
        status = main(["export", "nothing", "--format", "csv", str(tmp_path / "a.csv")])
    else:
        status = main(["import", run_id, "--format", "jsonl", str(tmp_path / "nothing")])
    assert status == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.glob("a.csv*")) == []
