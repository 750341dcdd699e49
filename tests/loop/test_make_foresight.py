"""What looking ahead would bring a run: ordered on a page, measured in the background, and can be stopped."""

import time
from collections.abc import Callable

import pytest

from rlhf.clips.encode import decode_mp4
from rlhf.clips.resize import Frame
from rlhf.config import override
from rlhf.errors import JobError, JobStoppedError
from rlhf.loop import film_foresight
from rlhf.loop import make_foresight as runner
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.foresee_run import Foreseen, RunForesightConfig
from rlhf.loop.iterate import iterate
from rlhf.loop.make_foresight import EPISODES, make_foresight
from rlhf.loop.order_foresight import order_foresight, stop_foresight
from rlhf.loop.report import Progress
from rlhf.loop.session import open_session, save_checkpoint
from rlhf.storage import foresights, jobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Episode
from rlhf.types.run import JobKind
from rlhf.ui.store import Store

QUICK = override(
    RunForesightConfig(),
    {"updates": 60, "model.members": 2, "model.batch_size": 64, "plan.horizon": 1, "plan.rounds": 1},
)


@pytest.fixture
def run_id(store: Store, new_small_run: Callable[..., str]) -> str:
    """A run that has a reward and a checkpoint."""
    session = open_session(store.engine, store.blobs, new_small_run("pendulum-swingup"), is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    iterate(session)
    save_checkpoint(session)
    return session.run_id


def test_what_is_found_is_kept_with_its_clip(store: Store, run_id: str) -> None:
    order_foresight(store.engine, run_id)
    make_foresight(store.engine, store.blobs, run_id, config=QUICK)
    with reading(store.engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    assert row["begun_at"] is None
    assert {len(row["found"][name]) for name in ("with", "alone", "predicted_with")} == {EPISODES}
    assert "not_drawn" not in row["found"]
    assert len(decode_mp4(store.blobs.read(row["clip"]))) == row["found"]["clip_frames"] > 10
    assert row["found"]["clip_fps"] > 0


def test_a_second_order_is_the_same_one(store: Store, run_id: str) -> None:
    order_foresight(store.engine, run_id)
    with writing(store.engine) as connection:
        foresights.note_progress(connection, run_id, 3, 9, "on the way")
    order_foresight(store.engine, run_id)
    with reading(store.engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    assert row["num_done"] == 3
    with writing(store.engine) as connection:
        assert jobs.claim(connection, (JobKind.FORESEE,), "one") is not None
        assert jobs.claim(connection, (JobKind.FORESEE,), "two") is None


def test_one_that_is_stopped_before_it_began_is_nobodys_work(store: Store, run_id: str) -> None:
    order_foresight(store.engine, run_id)
    stop_foresight(store.engine, run_id)
    with writing(store.engine) as connection:
        assert jobs.claim(connection, (JobKind.FORESEE,), "one") is None
    with pytest.raises(JobStoppedError):
        make_foresight(store.engine, store.blobs, run_id, config=QUICK)


def test_one_that_is_stopped_on_the_way_ends_and_keeps_what_was_found(store: Store, run_id: str) -> None:
    order_foresight(store.engine, run_id)
    make_foresight(store.engine, store.blobs, run_id, config=QUICK)
    order_foresight(store.engine, run_id)
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            stop_foresight(store.engine, run_id)
        assert calls < 10_000

    endless = override(QUICK, {"updates": 10**9})
    with pytest.raises(JobStoppedError, match="looking ahead was stopped"):
        make_foresight(store.engine, store.blobs, run_id, check, endless)
    with reading(store.engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    assert row["found"]
    assert "learning" in row["message"]


def test_a_clip_of_what_was_stopped_at_the_end_does_not_stay(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_foresight(store.engine, run_id)
    make_foresight(store.engine, store.blobs, run_id, config=QUICK)
    with reading(store.engine) as connection:
        row = foresights.get_foresight(connection, run_id)
    assert row is not None
    film = film_foresight.film_run_foresight
    for clips, config in ((4, QUICK), (1, QUICK)):  # the same clip once more, and another one

        def stopped_meanwhile(
            found: Foreseen, episode: Episode, _: int, progress: Progress, number: int = clips
        ) -> Frame:
            pictures = film(found, episode, number, progress)
            stop_foresight(store.engine, run_id)
            return pictures

        monkeypatch.setattr(runner, "film_run_foresight", stopped_meanwhile)
        order_foresight(store.engine, run_id)
        with pytest.raises(JobStoppedError, match="nothing about"):
            make_foresight(store.engine, store.blobs, run_id, config=config)
        (clip,) = store.settings.data_dir.rglob("*.mp4")
        assert clip.name == row["clip"]


def test_one_that_is_stopped_while_it_is_drawn_is_not_drawn_to_the_end(
    store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = False
    film = film_foresight.film_run_foresight

    def stopped_before(found: Foreseen, episode: Episode, number: int, progress: Progress) -> Frame:
        nonlocal drawn
        stop_foresight(store.engine, run_id)
        time.sleep(0.6)  # what says how far it is hears of a stop twice a second
        pictures = film(found, episode, number, progress)
        drawn = True
        return pictures

    monkeypatch.setattr(runner, "film_run_foresight", stopped_before)
    order_foresight(store.engine, run_id)
    with pytest.raises(JobStoppedError, match="looking ahead was stopped"):
        make_foresight(store.engine, store.blobs, run_id, config=QUICK)
    assert not drawn


def test_a_run_that_has_learned_nothing_says_so(store: Store, new_small_run: Callable[..., str]) -> None:
    run_id = new_small_run()
    order_foresight(store.engine, run_id)
    with pytest.raises(JobError, match="no checkpoint yet"):
        make_foresight(store.engine, store.blobs, run_id, config=QUICK)
