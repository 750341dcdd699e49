"""What stored answers are to the reward model: strengths and choices."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.session import Session, open_session
from rlhf.storage import queries
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

Make = Callable[..., Any]
UNLEARNED_WIDTH = 1.5
"""What the answer model takes for "clear" while nobody says how clear anything was."""
_KEYS = itertools.count()


@pytest.fixture
def asking(store: Store, new_small_run: Make) -> Session:
    """The session of a run that people teach, with pairs to answer and no reward yet."""
    settings = {
        "schedule.open_queries": 16,
        "schedule.first_answers": 1,
        "schedule.refit_answers": 1,
        "schedule.refit_share": 0.01,
    }
    session = open_session(store.engine, store.blobs, new_small_run(teacher=None, **settings))
    iterate(session)
    return session


def open_queries(session: Session) -> list[str]:
    with reading(session.engine) as connection:
        return [row["id"] for row in queries.list_open(connection, session.run_id)]


def tell(session: Session, annotator: str, query_id: str, **fields: Any) -> None:
    key = f"key-{next(_KEYS):05}"
    sent = Answer.from_json({"key": key, "query_id": query_id, "choice": "left"} | fields)
    record_answer(session.engine, session.run_id, annotator, sent)


@pytest.mark.parametrize(("strengths", "is_learned"), [((1, 2), True), ((1, 1), False), ((None,), False)])
def test_strength_reaches_the_reward_model(
    asking: Session, make_annotator: Make, strengths: tuple[int | None, ...], is_learned: bool
) -> None:
    person = make_annotator()
    for query_id, strength in zip(open_queries(asking), itertools.cycle(strengths), strict=False):
        tell(asking, person, query_id, strength=strength)
    report = fit_reward(asking)
    assert report is not None
    assert (report.clear_width != UNLEARNED_WIDTH) == is_learned


def test_another_strength_alone_is_learned_from(asking: Session, make_annotator: Make) -> None:
    person, (first, *others) = make_annotator(), open_queries(asking)
    for query_id in (first, *others):
        tell(asking, person, query_id, strength=1)
    assert fit_reward(asking) is not None
    tell(asking, person, first, strength=1)
    assert fit_reward(asking) is None
    tell(asking, person, first, strength=2)
    assert fit_reward(asking) is not None
