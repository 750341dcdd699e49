"""The command line as other programs use it: exit status, one line of error, JSON keys."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlhf.cli.main import main
from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.experience.tasks import list_tasks

TINY = [
    *("--set", "collect.num_envs=2", "collect.explore_steps=0", "ppo.num_steps=64", "ppo.num_epochs=2"),
    *("--set", "ppo.hidden=8", "reward.num_members=2", "reward.max_epochs=5"),
]
TRAINING_KEYS = {
    "task",
    "seed",
    "steps",
    "wall_s",
    "steps_per_second",
    "seconds",
    "random_return",
    "true_return",
    "peak_rss_mb",
}
SIMULATE_KEYS = {"labels", "audit_accuracy", "reward_spearman", "teacher", "curve"}

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RLHF_DATABASE_URL", "RLHF_BLOB_URL", "RLHF_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def cli(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """``cli("run", "list")`` returns (exit status, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as end:  # argparse's way of refusing
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def cli_json(cli: Cli) -> Callable[..., dict[str, Any]]:
    """``cli_json("run", "list")`` adds ``--json -`` and returns the object."""

    def call(*arguments: str) -> dict[str, Any]:
        status, out, err = cli(*arguments, "--json", "-")
        assert (status, err) == (0, "")
        result: dict[str, Any] = json.loads(out)
        return result

    return call


def spawn(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "rlhf", *arguments],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "new", "--task", "pendulum-swingdown"], "closest are pendulum-swingup"),
        (["run", "new", "--task", "gym:NoSuchEnv-v7"], "NoSuchEnv-v7"),
        (["run", "new", "--task", "pendulum-swingup", "--teacher", "guru"], "'guru'"),
        (["run", "new", "--task", "pendulum-swingup", "--teacher", "mistake:2"], "'2'"),
        (["run", "new", "--task", "pendulum-swingup", "--set", "ppo.momentum=1"], "'ppo.momentum'"),
        (["run", "new", "--task", "pendulum-swingup", "--set", "ppo.discount=much"], "'ppo.discount'"),
        (["run", "new", "--task", "pendulum-swingup", "--set", "ppo.discount=2"], "[0, 1)"),
        (["run", "new", "--task", "pendulum-swingup", "--set", "ppo.discount"], "--set 'ppo.discount'"),
        (["run", "new", "--task", "pendulum-swingup", "--set", "ppo=1"], "'ppo' is a group"),
        (["run", "show", "nobody-000000"], "'nobody-000000'"),
        (["run", "pause", "nobody-000000"], "'nobody-000000'"),
        (["run", "start", "nobody-000000"], "'nobody-000000'"),
        (["train", "--task", "pendulum-swingdown"], "closest are pendulum-swingup"),
        (["train", "--task", "pendulum-swingup", "--steps", "0"], "total_steps is 0"),
        (["simulate", "--task", "pendulum-swingdown"], "closest are pendulum-swingup"),
        (["simulate", "--task", "pendulum-swingup", "--teacher", "guru"], "'guru'"),
        (["simulate", "--task", "pendulum-swingup", "--steps", "-5"], "total_steps is -5"),
        (["simulate", "--task", "pendulum-swingup", "--labels", "-1"], "labels is -1"),
        (["simulate", "--task", "pendulum-swingup", "--set", "collect.num_envs=0"], "num_envs is 0"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_status_2(arguments: list[str], said: str, cli: Cli) -> None:
    status, out, err = cli(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "new"],
        ["simulate", "--task", "pendulum-swingup", "--seed", "-1"],
        ["simulate", "--task", "pendulum-swingup", "--seed", "4294967296"],
        ["tasks", "--json", "/no/such/folder/tasks.json"],
    ],
)
def test_what_cannot_be_parsed_shows_the_usage_and_status_2(arguments: list[str], cli: Cli) -> None:
    status, _, err = cli(*arguments)
    assert status == 2
    assert err.startswith("usage: ")


def test_a_bad_worker_setting_is_refused_before_any_worker_starts(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLHF_WORKER", "outsourced")
    status, _, err = cli("worker")
    assert status == 2
    assert err == "error: RLHF_WORKER is 'outsourced'; allowed are 'embedded' and 'external'.\n"


def test_a_database_that_cannot_be_opened_is_one_line_and_status_1(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "file" / "data"))
    for arguments in (["run", "list"], ["worker", "--once"]):
        status, _, err = cli(*arguments)
        assert status == 1
        assert err.startswith("error: the database")
        assert err.count("\n") == 1


def test_a_file_that_is_no_database_is_one_line_and_status_1(cli: Cli, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "rlhf.db").write_bytes(b"not a database " * 100)
    status, _, err = cli("run", "list")
    assert (status, err.count("\n")) == (1, 1)
    assert "file is not a database" in err


def test_tasks_lists_the_presets(cli: Cli, cli_json: Callable[..., dict[str, Any]]) -> None:
    tasks = {task["name"]: task for task in cli_json("tasks")["tasks"]}
    assert tasks["pendulum-swingup"] == {
        "name": "pendulum-swingup",
        "goal": "Swing the pendulum up and hold it",
        "environment": "Pendulum-v1",
        "horizon": 200,
        "segment_steps": 50,
        "has_true_reward": True,
        "changes": {"gravity": 10.0, "mass": 1.0},
    }
    assert "Swing the pendulum up" in cli("tasks")[1]


def test_json_goes_to_a_file_beside_the_table(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "tasks.json"
    status, out, _ = cli("tasks", "--json", str(target))
    assert status == 0
    assert "pendulum-swingup" in out
    assert len(json.loads(target.read_text())["tasks"]) >= 12
    assert list(tmp_path.glob("*.part")) == []


def test_doctor_checks_every_part(data_dir: Path, cli_json: Callable[..., dict[str, Any]]) -> None:
    checks = cli_json("doctor")["checks"]
    assert {"python", "database", "files", "rendering", "gpu", "envpool", "browser clips"} <= checks.keys()
    assert all(check.keys() == {"ok", "found"} and check["ok"] for check in checks.values())
    assert str(data_dir) in checks["database"]["found"]
    for task in list_tasks():
        assert "steps/s" in checks[f"stepping {task.name}"]["found"]


def test_doctor_says_what_fails_and_ends_with_status_1(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RLHF_BLOB_URL", str(tmp_path / "file" / "blobs"))
    status, out, _ = cli("doctor", "--json", "-")
    checks = json.loads(out)["checks"]
    assert status == 1
    assert [name for name, check in checks.items() if not check["ok"]] == ["files"]


def test_a_new_run_says_its_id_and_where_it_stands(cli_json: Callable[..., dict[str, Any]]) -> None:
    made = cli_json(
        *("run", "new", "--task", "pendulum-swingup", "--teacher", "mistake:0.1", "--seed", "7"),
        *("--set", "schedule.total_steps=5000", "ppo.hidden=8,8", "--start"),
    )
    shown = cli_json("run", "show", made["run"])
    assert shown == made
    assert shown["state"] == "created"  # until a worker takes it
    assert shown["wanted"] == "running"
    assert (shown["steps"], shown["total_steps"], shown["seed"]) == (0, 5000, 7)
    assert (shown["answers"], shown["reward_version"], shown["policy_version"]) == (0, 0, 0)
    assert (shown["teacher"], shown["last_error"]) == ("mistake:0.1", None)


def test_a_run_is_paused_resumed_and_stopped(cli: Cli, cli_json: Callable[..., dict[str, Any]]) -> None:
    run_id = cli_json("run", "new", "--task", "pendulum-swingup", "--start")["run"]
    stands = []
    for action in ("pause", "resume", "stop", "start"):
        assert cli("run", action, run_id)[0] == 0
        shown = cli_json("run", "show", run_id)
        stands.append((shown["state"], shown["wanted"]))
    assert stands == [
        ("paused", "paused"),
        ("paused", "running"),
        ("stopped", "stopped"),
        ("paused", "running"),  # no longer over: it waits for the trainer
    ]


def test_run_list_shows_every_run(cli: Cli, cli_json: Callable[..., dict[str, Any]]) -> None:
    ids = {cli_json("run", "new", "--task", task)["run"] for task in ("pendulum-swingup", "cartpole-balance")}
    assert {run["run"] for run in cli_json("run", "list")["runs"]} == ids
    text = cli("run", "list")[1]
    assert all(run_id in text for run_id in ids)


def test_an_empty_store_lists_no_runs(cli_json: Callable[..., dict[str, Any]]) -> None:
    assert cli_json("run", "list") == {"runs": []}


def test_train_reports_the_keys_of_a_training_verb(
    data_dir: Path, cli_json: Callable[..., dict[str, Any]]
) -> None:
    result = cli_json("train", "--task", "cartpole-balance", "--steps", "2000", "--seed", "3", *TINY)
    assert result.keys() - {"curve"} == TRAINING_KEYS
    assert (result["task"], result["seed"]) == ("cartpole-balance", 3)
    assert result["steps"] >= 2000
    assert len(result["true_return"]["per_episode"]) == 20
    assert not data_dir.exists()  # it uses no store


def test_simulate_reports_its_keys_and_leaves_the_store_alone(
    data_dir: Path, cli_json: Callable[..., dict[str, Any]]
) -> None:
    result = cli_json(
        *("simulate", "--task", "cartpole-balance", "--teacher", "oracle+flipped"),
        *("--labels", "10", "--steps", "2000", *TINY),
    )
    assert result.keys() == TRAINING_KEYS | SIMULATE_KEYS
    assert result["labels"]["asked"] == 10
    assert result["teacher"] == "oracle+flipped"
    assert not data_dir.exists()


def test_simulate_keeps_its_run_where_the_app_can_show_it(
    tmp_path: Path, cli_json: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    arguments = ("simulate", "--task", "cartpole-balance", "--labels", "8", "--steps", "1000", *TINY)
    cli_json(*arguments, "--keep", str(folder))
    monkeypatch.setenv("RLHF_DATA_DIR", str(folder))
    (run,) = cli_json("run", "list")["runs"]
    assert (run["task"], run["state"]) == ("cartpole-balance", "finished")


def test_a_training_verb_prints_a_table_for_people(cli: Cli) -> None:
    status, out, err = cli(
        "simulate", "--task", "cartpole-balance", "--labels", "8", "--steps", "1000", *TINY
    )
    assert (status, err) == (0, "")
    assert "true return" in out
    assert "8 asked" in out


def test_worker_once_ends_when_every_run_is_paused(cli_json: Callable[..., dict[str, Any]]) -> None:
    run_id = cli_json("run", "new", "--task", "pendulum-swingup")["run"]
    done = spawn("worker", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert cli_json("run", "show", run_id)["state"] == "created"


@pytest.mark.usefixtures("data_dir")
def test_the_module_hands_its_exit_status_to_the_shell() -> None:
    done = spawn("run", "show", "nobody-000000")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no run")
