"""A decision about people changes the reward by itself, without a new answer, and so does taking it back."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from rlhf.loop import supervise
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import answers
from rlhf.storage.engine import reading
from rlhf.ui.store import Store


@pytest.fixture
def session(store: Store, new_small_run: Callable[..., str]) -> Iterator[Session]:
    """A run that two teachers have answered all questions of, with its first reward."""
    run_id = new_small_run(teacher="oracle+random")
    with contextlib.closing(open_session(store.engine, store.blobs, run_id, is_simulated=True)) as session:
        iterate(session)
        ask_teacher(store.engine, store.blobs, run_id, 8)
        report = fit_reward(session)
        assert report is not None
        assert (report.num_comparisons, len(report.annotators)) == (8, 2)
        yield session


def _people(session: Session) -> list[tuple[str, int]]:
    """Who answered, and how often."""
    with reading(session.engine) as connection:
        given = [row["annotator_id"] for row in answers.standing_answers(connection, session.run_id)]
    return [(person, given.count(person)) for person in dict.fromkeys(given)]


def test_nothing_is_fitted_without_news(session: Session) -> None:
    assert fit_reward(session) is None


def test_who_counts_nothing_is_not_learned_from_until_it_is_undone(session: Session) -> None:
    (person, number), _ = _people(session)
    by = "Researcher"
    act = supervise.weigh(session.engine, session.run_id, person, 0.0, by=by, reason="a coin")
    report = fit_reward(session)
    assert report is not None
    assert (report.num_comparisons, len(report.annotators)) == (8 - number, 1)
    assert fit_reward(session) is None
    supervise.undo(session.engine, act, by=by)
    report = fit_reward(session)
    assert report is not None
    assert report.num_comparisons == 8


def test_when_nobody_counts_the_reward_stays(session: Session) -> None:
    for person, _ in _people(session):
        supervise.weigh(session.engine, session.run_id, person, 0.0, by="Researcher", reason="")
    version = session.reward_version
    assert fit_reward(session) is None
    assert session.reward_version == version


def test_a_pause_fits_nothing(session: Session) -> None:
    supervise.pause(session.engine, session.run_id, _people(session)[0][0], by="Researcher", reason="")
    assert fit_reward(session) is None


def test_a_restarted_run_knows_which_decisions_it_has_followed(session: Session, store: Store) -> None:
    supervise.weigh(session.engine, session.run_id, _people(session)[0][0], 0.5, by="Researcher", reason="")
    assert fit_reward(session) is not None
    save_checkpoint(session)
    again = open_session(store.engine, store.blobs, session.run_id, is_simulated=True)
    with contextlib.closing(again):
        assert fit_reward(again) is None
