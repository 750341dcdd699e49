"""``python -m rlhf finetune``: a new run from another one, from the shell."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.cli.main import main
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.storage import models, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import RunState
from rlhf.types.task import ActionSpace
from rlhf.ui.store import Store


@pytest.fixture
def source(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with two saved policies and nothing else, in the store that the verbs open."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    run_id = make_run(task="cartpole-balance")
    policy = PPO(PPOConfig(hidden=(8, 8)), 4, ActionSpace("discrete", 2), np.random.default_rng(0))
    arrays = store.blobs.write_arrays(policy.policy_arrays())
    with writing(store.engine) as connection:
        for version in (3, 5):
            models.insert_policy_version(
                connection, run_id, version, arrays=arrays, steps=version, reward_version=0, num_answers=0
            )
    return run_id


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["finetune", *arguments, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_new_run_starts_from_the_best_policy(
    store: Store, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = call(capsys, source, "--update", "adapters+head", "--set", "ppo.num_epochs=3", "--start")
    assert (made["source"], made["taken"], made["policy_version"]) == (source, ["policy"], 5)
    assert (made["learned_parameters"], made["parameters"]) == (40 + 18, 40 + 72 + 18)
    with reading(store.engine) as connection:
        row = runs.get_run(connection, made["run"])
    assert row["wanted"] is RunState.RUNNING
    assert row["overrides"]["ppo.num_epochs"] == "3"


def test_version_task_and_parts_can_be_named(
    store: Store, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = call(capsys, source, "--policy", "3", "--task", "pendulum-swingup", "--take", "policy")
    assert made["policy_version"] == 3
    with reading(store.engine) as connection:
        row = runs.get_run(connection, made["run"])
    assert (row["task"], row["wanted"]) == ("pendulum-swingup", RunState.PAUSED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "9"], "version 9"),
        (["--take", "reward"], "it has learned no reward yet"),
        (["--task", "pendulum-swingup", "--update", "head"], "adapters+head"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    source: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["finetune", source, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize("arguments", [["--take", "weights"], ["--policy", "worst"], ["--update", "tail"]])
def test_unknown_words_are_wrong_usage(source: str, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["finetune", source, *arguments])
    assert stopped.value.code == 2
