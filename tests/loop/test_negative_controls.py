"""What must not work: a loop that learned from worthless answers would be learning from something else.

Runs of a few seconds on the pendulum, long enough that right answers teach it a good part of what PPO on the
true reward learns in the same steps; scores are shares of that, counted from a random policy. And shorter
ones, also of a task that ends early, that must not change by a bit when what is paid does.
"""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlhf.experience.tasks import get_task
from rlhf.experience.vector import StepResult, VectorStepper
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.config import resolve
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.loop.simulate import simulate
from rlhf.loop.start_run import new_run
from rlhf.loop.train_on_true_reward import train_on_true_reward
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate
from rlhf.ui.store import Store

TASK = "pendulum-swingup"
ENDS_EARLY = "cartpole-balance"
"""Where a step survived is a step paid: what is paid could come in by way of how long episodes are."""
STEPS = 50_000
QUICK_FIT = {"reward.num_members": 3, "reward.hidden": "32", "reward.max_epochs": 100}


@functools.cache
def reference() -> dict[str, Any]:
    """The report of PPO on the true reward."""
    task = get_task(TASK)
    return train_on_true_reward(task, resolve(task, {"schedule.total_steps": STEPS}), 0, lambda *_: None)


@functools.cache
def score(teacher: str, labels: int, seed: int) -> tuple[float, float | None]:
    """Return the share of the reference's gain, and the rank correlation of learned and true reward."""
    torch.set_num_threads(1)
    labelling = {"schedule.labels": labels, "schedule.initial_labels": min(labels, 20)}
    sessions = {"schedule.total_steps": STEPS, "schedule.session_labels": 20}
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'rlhf.db'}")
        migrate(engine)
        overrides = {**QUICK_FIT, **sessions, **labelling}
        run_id = new_run(engine, TASK, seed=seed, teacher=teacher, overrides=overrides)
        report = simulate(engine, Blobs(str(Path(folder) / "blobs")), run_id, lambda *_: None)
        engine.dispose()
    worst, best = reference()["random_return"], reference()["true_return"]["mean"]
    return (report["true_return"]["mean"] - worst) / (best - worst), report["reward_spearman"]


def test_right_answers_teach() -> None:
    assert np.mean([score("oracle", 60, seed)[0] for seed in (0, 1)]) > 0.3


def test_answers_at_random_teach_nothing() -> None:
    assert np.mean([score("random", 60, seed)[0] for seed in (0, 1, 2)]) <= 0.1


def test_wrong_answers_teach_the_opposite() -> None:
    found, correlation = score("flipped", 60, 1)
    assert found <= 0.1
    assert correlation is not None
    assert correlation < 0.0


def test_no_answers_teach_nothing() -> None:
    found, correlation = score("oracle", 0, 1)
    assert abs(found) <= 0.1
    assert correlation is None


@pytest.fixture
def garbled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """True rewards are noise of another size, wherever environments are stepped."""
    step, rng = VectorStepper.step, np.random.default_rng(0)

    def garble(stepper: VectorStepper, *arguments: Any) -> StepResult:
        result = step(stepper, *arguments)
        result.true_rewards[:] = rng.normal(size=result.true_rewards.shape, scale=1e3)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(VectorStepper, "step", garble)
        yield


SMALL = {
    "collect.num_envs": 4,
    "collect.explore_steps": 800,
    "ppo.num_steps": 64,
    "schedule.labels": 24,
    "schedule.initial_labels": 8,
    "schedule.session_labels": 4,
    "schedule.refit_answers": 4,
    "schedule.total_steps": 4000,
    "reward.max_epochs": 20,
}


def learned(store: Store, task: str, seed: int) -> tuple[Session, list[float]]:
    """Return a session after some turns, and the true returns that it has noted down for people."""
    # the answers of this teacher are coins: they do not depend on the true reward
    run_id = new_run(store.engine, task, seed=seed, teacher="random", overrides=SMALL)
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    for _ in range(12):
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
    session.collector.stepper.close()
    return session, session.memory.true_returns(session.task.horizon)


@pytest.mark.parametrize("task", [TASK, ENDS_EARLY])
def test_the_true_reward_reaches_only_teachers_and_reports(
    task: str, store: Store, request: pytest.FixtureRequest
) -> None:
    """Two runs with the same answers, one in a world that pays noise, are the same to the last bit."""
    honest, returns = learned(store, task, 0)
    request.getfixturevalue("garbled")
    other, other_returns = learned(store, task, 0)
    assert other_returns != returns  # the garbling works
    assert honest.reward is not None
    assert other.reward is not None
    assert (other.reward_version, other.policy.version) == (honest.reward_version, honest.policy.version)
    assert honest.reward_version >= 2
    for mine, theirs in (
        (honest.policy.policy_arrays(), other.policy.policy_arrays()),
        (honest.reward.to_arrays(), other.reward.to_arrays()),
    ):
        assert mine.keys() == theirs.keys()
        for name, array in mine.items():
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)
