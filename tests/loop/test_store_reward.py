"""What a reward version stores of itself: its own view of every answer, and what kinds of pairs taught."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session
from rlhf.loop.void_answers import answer_again
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import answers, models, schema
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.reward import AnswerViews
from rlhf.ui.store import Store

Make = Callable[..., Any]


def learned(store: Store, run_id: str, labels: int) -> Session:
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, labels)
    assert fit_reward(session) is not None
    return session


def views(session: Session) -> AnswerViews:
    with reading(session.engine) as connection:
        row = models.get_reward_version(connection, session.run_id, session.reward_version)
    arrays, _ = session.blobs.read_arrays(row["arrays"])
    assert RewardModel.from_arrays(arrays).version == session.reward_version
    found = AnswerViews.from_arrays(arrays)
    assert found is not None
    return found


def test_every_answer_is_judged_under_its_own_number(store: Store, new_small_run: Make) -> None:
    session = learned(store, new_small_run(), 8)
    with reading(store.engine) as connection:
        rows = answers.standing_answers(connection, session.run_id)
    found = views(session)
    assert found.answer.tolist() == [row["id"] for row in rows]
    assert ((found.unseen > 0) & (found.unseen < 1)).all()
    said = np.array([row["choice"] is Choice.LEFT for row in rows])
    assert ((found.lead > 0) == said).mean() >= 0.75  # most of eight answers fit a reward


def test_a_wrong_answer_in_fifty_is_among_the_five_most_disputed(store: Store, new_small_run: Make) -> None:
    settings = {"schedule.labels": 50, "schedule.initial_labels": 50, "reward.model_class": "quadratic"}
    session = learned(store, new_small_run(**settings), 50)
    before = views(session)
    clear = int(before.answer[np.argsort(-np.abs(before.lead))[10]])
    with reading(store.engine) as connection:
        row = next(r for r in answers.standing_answers(connection, session.run_id) if r["id"] == clear)
    wrong = Choice.RIGHT if row["choice"] is Choice.LEFT else Choice.LEFT
    answer_again(store.engine, session.run_id, row["key"], wrong, by="a" * 32, replaces=True)
    assert fit_reward(session) is not None
    found = views(session)
    with reading(store.engine) as connection:
        planted = answers.last_id(connection, session.run_id)
    assert planted in found.answer[np.argsort(-found.against)[:5]].tolist()


def test_what_kinds_of_pairs_taught_is_reported(store: Store, new_small_run: Make) -> None:
    settings = {"schedule.labels": 60, "schedule.initial_labels": 60, "reward.model_class": "linear"}
    session = open_session(store.engine, store.blobs, new_small_run(**settings), is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 60)
    with writing(store.engine) as connection:
        asked = list(connection.scalars(sa.select(schema.queries.c.id)))
        for kind, part in ((QueryKind.AUDIT, asked[:30]), (QueryKind.ACTIVE, asked[30:])):
            connection.execute(schema.queries.update().where(schema.queries.c.id.in_(part)).values(kind=kind))
    assert fit_reward(session) is not None
    with reading(store.engine) as connection:
        sources = models.latest_reward_report(connection, session.run_id)["sources"]
    assert sources["num_answers"] == 24  # four fifths of thirty
    assert sources["low"] <= sources["chosen"] - sources["random"] <= sources["high"]
