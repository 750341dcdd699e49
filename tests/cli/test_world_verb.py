"""``world`` and ``simulate --change``: another world under a run."""

import json
from collections.abc import Callable

import pytest

from rlhf.cli.main import main
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

TASK = "cartpole-balance"


@pytest.fixture
def run_id(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    return make_run(task=TASK)


def test_the_world_of_a_run_is_changed(store: Store, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", run_id, "--task", f"{TASK}+gravity=20", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": run_id, "task": f"{TASK}+gravity=20"}
    with reading(store.engine) as connection:
        assert runs.get_run(connection, run_id)["task"] == f"{TASK}+gravity=20"


def test_another_task_is_wrong_usage(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", run_id, "--task", "pendulum-swingup"]) == 2
    assert "no other variant of it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["gravity=20", "100:", "many:cartpole-balance"])
def test_a_change_is_said_as_steps_and_task(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", "--task", TASK, "--change", text])
    assert "does not look like 20000:cartpole-balance+gravity=20" in capsys.readouterr().err
