import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_rewards import linear_reward

from rlhf.cli.main import main
from rlhf.storage import models, runs
from rlhf.storage.engine import writing
from rlhf.ui.store import Store

TINY = ["--steps", "512", "--source-steps", "512", "--set", "target.q.hidden=8,8,8", "target.curve_points=1"]


def test_it_learns_both_tasks_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    pair = ["--source", "cartpole-balance", "--target", "cartpole-balance+gravity=20"]
    assert main(["transfer", *pair, "--update", "head", *TINY, "--json", str(path)]) == 0
    assert "kept" in capsys.readouterr().out
    found = json.loads(path.read_text())
    assert (found["source"], found["task"], found["steps"]) == (*pair[1::2], 512)
    assert found["arms"].keys() == {"guarded"}


@pytest.fixture
def taught(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A run whose reward is a cart on the right."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    run_id = make_run(task="cartpole-balance")
    reward = dataclasses.replace(linear_reward([1.0] + [0.0] * 8), version=3)
    with writing(store.engine) as connection:
        arrays = store.blobs.write_arrays(reward.to_arrays())
        models.insert_reward_version(connection, run_id, 3, arrays=arrays, num_answers=9, steps=0, report={})
        runs.update_run(connection, run_id, reward_version=3)
    return run_id


@pytest.mark.parametrize("version", ["", ":3"])
def test_a_target_is_learned_from_a_runs_reward_and_true_returns_are_reported(
    taught: str, version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    pair = ["--source", "cartpole-balance", "--target", "cartpole-balance+gravity=20"]
    asked = ["--reward", taught + version, "--json", str(path)]
    assert main(["transfer", *pair, *TINY, *asked]) == 0
    said = capsys.readouterr().out
    assert f"by the reward of run {taught}, version 3. True returns there are reported only" in said
    assert "learned return at first" in said
    found = json.loads(path.read_text())
    assert found["reward"] == {"run": taught, "version": 3}
    arm = found["arms"]["guarded"]
    for one in (arm, *arm["curve"]):
        assert one["true_return"] > 0
        assert one["learned_return"] != one["true_return"]


def test_a_reward_of_another_environment_is_refused(taught: str, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["--source", "cartpole-balance", "--target", "pendulum-swingup"]
    assert main(["transfer", *pair, "--reward", taught]) == 2
    assert (
        "learned for cartpole-balance, whose environment is not that of pendulum" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "cartpole-balance", "--target", "cartpole-balance+wind=3"], "is not a change"),
        (["--source", "cartpole-balance", "--target", "acrobot-swingup", "--steps", "0"], "total_steps"),
        (
            ["--source", "cartpole-balance", "--target", "acrobot-swingup", "--update", "head"],
            "adapters+head",
        ),
        (["--source", "cart", "--target", "acrobot-swingup"], "no task 'cart'"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transfer", *arguments]) == 2
    assert said in capsys.readouterr().err
