"""A store in a temporary folder, and small things to put into it, for every test that needs them."""

import contextlib

from rlhf.config import use_one_thread

use_one_thread()  # before anything imports numpy

# ruff: noqa: E402
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from rlhf.config import Settings
from rlhf.storage import answers, models, queries, runs, schema, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, writing
from rlhf.storage.migrations import migrate
from rlhf.types.experience import Replay, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

# Threads that wait for each other on few cores cost more than they give.
torch.set_num_threads(1)

CLIP = bytes(range(256)) * 8
"""Stands for an mp4: the server never looks inside."""
POSTER = b"\x89PNG\r\n\x1a\n of no size"


_ALONE = "worker"
"""Folder of tests that time a process under test: all in one process, even where pytest has several."""


class _ByFile(LoadScopeScheduling):
    """Deals out whole files, whose tests share what they set up, and the folder ``_ALONE`` as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        folder = path.split("/")[1]
        return folder if folder == _ALONE else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Use ``_ByFile`` whatever ``--dist`` says."""
    return _ByFile(config, log)


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Pages drawn without a browser put their script in its place; processes started later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def sessions_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions opened by a test start no companions: seconds each, and no result depends on them.

    Programs that a test starts use what they would use, and so do the tests of companions themselves.
    """
    monkeypatch.setattr("rlhf.loop.processes.num_cores", lambda: 1)


@pytest.fixture(autouse=True)
def page_cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Cookies of the browser that looks at pages drawn without one, on this computer; none to begin with."""
    cookies: dict[str, str] = {}
    headers = {"host": "localhost:8501"}
    monkeypatch.setattr("rlhf.ui.access.page_request", lambda: (cookies, "127.0.0.1", headers))
    return cookies


@contextlib.contextmanager
def _empty_store(data_dir: Path) -> Iterator[Store]:
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(data_dir)})
    engine = open_engine(settings.database_url)
    migrate(engine)
    yield Store(settings=settings, engine=engine, blobs=Blobs(settings.blob_url))
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in ``tmp_path / "data"``, where ``RLHF_DATA_DIR`` would put it."""
    with _empty_store(tmp_path / "data") as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Another empty store, as on another computer."""
    with _empty_store(tmp_path / "other") as made:
        yield made


@pytest.fixture
def make_run(store: Store) -> Callable[..., str]:
    """``make_run(**columns)`` adds a run that is not started and returns its id."""

    def make(**columns: object) -> str:
        values = {
            "task": "pendulum-swingup",
            "goal": "Swing the pendulum up and hold it",
            "seed": 0,
            "teacher": None,
            "overrides": {},
            "total_steps": 1000,
        }
        with writing(store.engine) as connection:
            return runs.insert_run(connection, **(values | columns))  # type: ignore[arg-type]

    return make


@pytest.fixture
def taught_run(store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]) -> str:
    """A run with a reward, a checkpoint and one recorded policy, none of which can be opened."""
    made = make_run()
    replay_id = make_segment(made)
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, made, 1, arrays="none", steps=100, reward_version=1, num_answers=0
        )
        models.set_evaluation(connection, made, 1, replay_id=replay_id, evaluation={})
        models.insert_checkpoint(connection, made, arrays="none", steps=100, keep=1)
        runs.update_run(connection, made, reward_version=1)
    return made


@pytest.fixture
def make_segment(store: Store) -> Callable[..., str]:
    """``make_segment(run_id, drawn=True)`` stores a segment of three steps, its clip and its true rewards."""
    rng = np.random.default_rng(0)

    def make(run_id: str, *, drawn: bool = True) -> str:
        segment = Segment(
            observations=rng.normal(size=(4, 2)).astype(np.float32),
            actions=rng.uniform(-1, 1, size=(3, 1)).astype(np.float32),
            absorbing=np.zeros(3, np.bool_),
            policy_version=1,
            replay=Replay(reset_seed=3, start=0, sim_states=rng.normal(size=(4, 5))),
        )
        arrays = store.blobs.write_arrays(segment.to_arrays())
        truth = store.blobs.write_arrays({"true_rewards": np.arange(3.0)})
        clip, poster = store.blobs.write(CLIP, "mp4"), store.blobs.write(POSTER, "png")
        with writing(store.engine) as connection:
            segment_id = segments.insert_segment(connection, run_id, segment, arrays, truth)
            if drawn:
                segments.set_clip(
                    connection, segment_id, clip=clip, poster=poster, fps=20.0, frames=4, ended_at_frame=None
                )
        return segment_id

    return make


@pytest.fixture
def make_query(store: Store, make_segment: Callable[..., str]) -> Callable[..., str]:
    """``make_query(run_id, status=READY, reward_version=1)`` adds a query with two segments of its own."""

    def make(
        run_id: str,
        *,
        status: QueryStatus = QueryStatus.READY,
        kind: QueryKind = QueryKind.ACTIVE,
        reward_version: int = 1,
    ) -> str:
        left, right = make_segment(run_id), make_segment(run_id)
        with writing(store.engine) as connection:
            query_id = queries.insert_query(
                connection,
                run_id,
                left_id=left,
                right_id=right,
                kind=kind,
                score=0.5,
                predicted=0.75,
                policy_version=2,
                reward_version=reward_version,
            )
            queries.set_status(connection, query_id, status)
        return query_id

    return make


@pytest.fixture
def make_blind_pair(store: Store, make_query: Callable[..., str]) -> Callable[..., str]:
    """``make_blind_pair(run_id, left, right)`` adds a drawn pair of two policy versions, returns its id."""

    def make(run_id: str, left: int, right: int) -> str:
        query_id = make_query(run_id, kind=QueryKind.WIN_RATE)
        with writing(store.engine) as connection:
            query = queries.get_query(connection, query_id)
            for side, version in (("left_id", left), ("right_id", right)):
                one = schema.segments.c.id == query[side]
                connection.execute(schema.segments.update().where(one).values(policy_version=version))
        return query_id

    return make


@pytest.fixture
def make_annotator(store: Store) -> Callable[..., str]:
    """``make_annotator()`` adds a person and returns their id."""

    def make() -> str:
        with writing(store.engine) as connection:
            return answers.insert_annotator(
                connection, "Annotator", is_teacher=False, annotator_id=uuid.uuid4().hex
            )

    return make
