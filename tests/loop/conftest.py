"""Runs that are over in a second: small networks, few episodes, quick fits."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rlhf.config import Settings
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.loop.start_run import new_run
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.ui.store import Store

SMALL: dict[str, Any] = {
    "collect.num_envs": 4,
    "collect.explore_steps": 800,
    "collect.recent_episodes": 6,
    "collect.older_episodes": 6,
    "collect.recent_rollouts": 3,
    "ppo.num_steps": 32,
    "ppo.num_epochs": 2,
    "ppo.minibatch_size": 64,
    "ppo.hidden": "8",
    "ppo.critic_refit_epochs": 2,
    "reward.num_members": 2,
    "reward.hidden": "8",
    "reward.max_epochs": 5,
    "schedule.total_steps": 100_000,
    "schedule.labels": 8,
    "schedule.initial_labels": 8,
    "keep.evaluation_episodes": 2,
}


@pytest.fixture
def opened(store: Store) -> Iterator[Callable[[str], Session]]:
    """Open a run without clips drawn; it is closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_one(run_id: str) -> Session:
            session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
            stack.callback(session.close)
            return session

        yield open_one


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def new_small_run(store: Store) -> Callable[..., str]:
    """``new_small_run(task, teacher="oracle", seed=0, **{"a.b": c})`` adds a run and returns its id."""

    def make(
        task: str = "pendulum-swingup", *, teacher: str | None = "oracle", seed: int = 0, **changes: Any
    ) -> str:
        return new_run(store.engine, task, seed=seed, teacher=teacher, overrides=SMALL | changes)

    return make


@pytest.fixture
def copy_store(store: Store, tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """``copy_store(name)`` returns a store of its own with everything that is in ``store`` now."""
    copies: list[Store] = []

    def copy(name: str) -> Store:
        settings = Settings.from_environment({"RLHF_DATA_DIR": str(tmp_path / name)})
        settings.data_dir.mkdir()
        shutil.copytree(store.settings.blob_url, settings.blob_url)
        source, target = (sqlite3.connect(s.data_dir / "rlhf.db") for s in (store.settings, settings))
        source.backup(target)
        source.close()
        target.close()
        engine = open_engine(settings.database_url)
        copies.append(Store(settings=settings, engine=engine, blobs=Blobs(settings.blob_url)))
        return copies[-1]

    yield copy
    for made in copies:
        made.engine.dispose()


@pytest.fixture
def learn(store: Store, new_small_run: Callable[..., str]) -> Callable[..., Session]:
    """``learn(**settings)`` returns a session that has followed its first reward for three updates."""

    def make(**settings: Any) -> Session:
        run_id = new_small_run(**settings)
        session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 100)
        for _ in range(3):
            iterate(session)
        return session

    return make
